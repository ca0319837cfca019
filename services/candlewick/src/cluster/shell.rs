//! What every process has around its role: logs, metrics, probes, signals.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use ::api::{DeferredRouter, Operations};
use clock::SystemClock;
use host::{BuildInfo, Health, MetricsHandle, Stage, Supervisor};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::Engine;
use connect::ProcessSettings;

/// How long a shutdown may take; Kubernetes gives 30 s before it kills.
const SHUTDOWN: Duration = Duration::from_secs(25);

/// A process that has started and does nothing yet.
pub(super) struct Shell {
    pub(super) health: Health,
    pub(super) metrics: MetricsHandle,
    pub(super) supervisor: Supervisor<SystemClock>,
    role: &'static str,
    listener: TcpListener,
}

/// Runs a process until it is told to stop; `start` gives the shell its role.
pub(super) fn run(
    settings: &ProcessSettings,
    role: &'static str,
    start: impl FnOnce(Shell) -> Supervisor<SystemClock>,
) -> anyhow::Result<ExitCode> {
    host::start_telemetry(&settings.log, settings.log_format)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(async {
        let shell = Shell::new(settings, role).await?;
        let supervisor = start(shell);
        anyhow::Ok(supervisor.run_until_signal(SHUTDOWN).await?)
    })?;
    outcome.exit()
}

impl Shell {
    async fn new(settings: &ProcessSettings, role: &'static str) -> anyhow::Result<Self> {
        let metrics = MetricsHandle::install(BuildInfo {
            version: env!("CARGO_PKG_VERSION"),
            commit: option_env!("CANDLEWICK_COMMIT").unwrap_or("unknown"),
        })?;
        eventlog::Metrics::describe();
        kafka::describe_metrics();
        let listener = Engine::listen(settings.listen).await?;
        let health = Health::default();
        let mut supervisor = Supervisor::new(SystemClock, health.clone());
        let upkeep = metrics.clone();
        supervisor.spawn(Stage::Observe, "metrics", move |stop| async move {
            upkeep.upkeep(SystemClock, stop).await;
            Ok(())
        });
        Ok(Self {
            health,
            metrics,
            supervisor,
            role,
            listener,
        })
    }

    /// Runs the role as a task, and answers probes and scrapes until it has ended.
    pub(super) fn serve_probes<T>(
        mut self,
        role: impl FnOnce(Health, CancellationToken) -> T,
    ) -> Supervisor<SystemClock>
    where
        T: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.greet(&[]);
        let router = ::api::operations_router(self.operations());
        let health = self.health.clone();
        self.supervisor
            .spawn(Stage::Process, self.role, move |stop| role(health, stop));
        let listener = self.listener;
        self.supervisor
            .spawn(Stage::Observe, "probes", move |stop| async move {
                ::api::serve(listener, router, stop).await;
                Ok(())
            });
        self.supervisor
    }

    /// Runs the role as a task; answers probes and scrapes at once, and everything else as soon
    /// as `later` can. Listening is what stops first.
    pub(super) fn serve_api<T>(
        mut self,
        later: DeferredRouter,
        role: impl FnOnce(Health, CancellationToken) -> T,
    ) -> Supervisor<SystemClock>
    where
        T: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.greet(&[("symbols", "/api/v1/symbols"), ("stream", "/api/v1/stream")]);
        let router = ::api::starting_router(self.operations(), later);
        let health = self.health.clone();
        self.supervisor
            .spawn(Stage::Process, self.role, move |stop| role(health, stop));
        let listener = self.listener;
        self.supervisor
            .spawn(Stage::Intake, "listener", move |stop| async move {
                ::api::serve(listener, router, stop).await;
                Ok(())
            });
        self.supervisor
    }

    fn operations(&self) -> Operations {
        let metrics = self.metrics.clone();
        Operations::new(self.health.clone(), Arc::new(move || metrics.render()))
    }

    /// Says where to look.
    fn greet(&self, more: &[(&str, &str)]) {
        let Ok(address) = self.listener.local_addr() else {
            return;
        };
        println!(
            "candlewick {} {} is up",
            env!("CARGO_PKG_VERSION"),
            self.role
        );
        let places = [("health", "/readyz"), ("metrics", "/metrics")];
        for (what, path) in more.iter().chain(&places) {
            println!("  {what:<8} http://{address}{path}");
        }
    }
}
