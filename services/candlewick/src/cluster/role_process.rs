//! The process around a role: logs, metrics, probes, signals.

use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use ::api::{DeferredRouter, ProbesAndMetrics};
use clock::SystemClock;
use connect::ProcessSettings;
use host::{Health, MetricsHandle, ShutdownStage, Supervisor};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::process::{VERSION, bind_listener, build_runtime, install_metrics};

/// How long a shutdown may take; Kubernetes waits 30 s before it kills the process.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(25);

/// A process that listens and has no role yet.
pub(super) struct ListeningProcess {
    pub(super) metrics: MetricsHandle,
    pub(super) supervisor: Supervisor<SystemClock>,
    health: Health,
    role: &'static str,
    listener: TcpListener,
    /// The listener for probes and metrics alone, if one is configured.
    probes_listener: Option<TcpListener>,
}

/// Runs a process until a signal stops it; `start_role` starts its role.
pub(super) fn run_role_and_exit_process(
    settings: &ProcessSettings,
    role: &'static str,
    start_role: impl FnOnce(ListeningProcess) -> Supervisor<SystemClock>,
) -> anyhow::Result<ExitCode> {
    host::start_logging_with_panic_hook(&settings.log, settings.log_format)?;
    let runtime = build_runtime()?;
    let outcome = runtime.block_on(async {
        let process = ListeningProcess::new(settings, role).await?;
        let supervisor = start_role(process);
        anyhow::Ok(supervisor.run_until_shutdown(SHUTDOWN_TIMEOUT).await?)
    })?;
    outcome.exit()
}

impl ListeningProcess {
    async fn new(settings: &ProcessSettings, role: &'static str) -> anyhow::Result<Self> {
        let metrics = install_metrics()?;
        kafka::describe_metrics();
        let listener = bind_listener(settings.listen).await?;
        let probes_listener = match settings.probes_listen {
            Some(address) => Some(bind_listener(address).await?),
            None => None,
        };
        let health = Health::default();
        let mut supervisor = Supervisor::new(SystemClock, health.clone());
        let maintained = metrics.clone();
        supervisor.spawn(ShutdownStage::Observe, "metrics", move |stop| async move {
            maintained.run_maintenance(SystemClock, stop).await;
            Ok(())
        });
        Ok(Self {
            health,
            metrics,
            supervisor,
            role,
            listener,
            probes_listener,
        })
    }

    /// Runs the role as a task, and answers probes and scrapes until it has ended.
    pub(super) fn spawn_role_and_probes<T>(
        mut self,
        run_role: impl FnOnce(Health, CancellationToken) -> T,
    ) -> Supervisor<SystemClock>
    where
        T: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.print_addresses(&[]);
        self.spawn_probes_listener();
        let router = ::api::probes_and_metrics_router(self.probes_and_metrics());
        let health = self.health.clone();
        self.supervisor
            .spawn(ShutdownStage::Process, self.role, move |stop| {
                run_role(health, stop)
            });
        let listener = self.listener;
        self.supervisor
            .spawn(ShutdownStage::Observe, "probes", move |stop| async move {
                ::api::serve(listener, router, stop).await;
                Ok(())
            });
        self.supervisor
    }

    /// Runs the role as a task. Answers probes and scrapes at once, and all other requests as
    /// soon as `deferred` has a router. The listener stops before the role.
    pub(super) fn spawn_role_and_api<T>(
        mut self,
        deferred: DeferredRouter,
        run_role: impl FnOnce(Health, CancellationToken) -> T,
    ) -> Supervisor<SystemClock>
    where
        T: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.print_addresses(&[("symbols", "/api/v1/symbols"), ("stream", "/api/v1/stream")]);
        self.spawn_probes_listener();
        let router = ::api::starting_router(self.probes_and_metrics(), deferred);
        let health = self.health.clone();
        self.supervisor
            .spawn(ShutdownStage::Process, self.role, move |stop| {
                run_role(health, stop)
            });
        let listener = self.listener;
        self.supervisor
            .spawn(ShutdownStage::Intake, "listener", move |stop| async move {
                ::api::serve(listener, router, stop).await;
                Ok(())
            });
        self.supervisor
    }

    /// Answers probes and scrapes on the listener that is for them alone, if there is one.
    fn spawn_probes_listener(&mut self) {
        let Some(listener) = self.probes_listener.take() else {
            return;
        };
        if let Ok(address) = listener.local_addr() {
            println!("  probes   http://{address}/readyz");
        }
        let router = ::api::probes_and_metrics_router(self.probes_and_metrics());
        self.supervisor.spawn(
            ShutdownStage::Observe,
            "probes-listener",
            move |stop| async move {
                ::api::serve(listener, router, stop).await;
                Ok(())
            },
        );
    }

    fn probes_and_metrics(&self) -> ProbesAndMetrics {
        let metrics = self.metrics.clone();
        ProbesAndMetrics::new(self.health.clone(), Arc::new(move || metrics.render()))
    }

    /// Prints the addresses that this process serves: those given and those of every process.
    fn print_addresses(&self, paths: &[(&str, &str)]) {
        let Ok(address) = self.listener.local_addr() else {
            return;
        };
        println!("candlewick {VERSION} {} is up", self.role);
        let common_paths = [("health", "/readyz"), ("metrics", "/metrics")];
        for (label, path) in paths.iter().chain(&common_paths) {
            println!("  {label:<8} http://{address}{path}");
        }
    }
}
