//! `candlewick standalone`: everything in one process.

mod config;
mod display;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use aggregator::IdMemoryBudget;
use clock::SystemClock;
use connect::DataFolder;
use host::{Health, ShutdownStage, Supervisor};

use self::config::{FeedKind, StandaloneConfig};
use self::display::{print_addresses, spawn_status_line};
use crate::engine::{EmbeddedRoles, EngineOptions};
use crate::process::{bind_listener, build_runtime, install_metrics};

pub(crate) use self::config::StandaloneArgs;

/// How long a shutdown may take.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(20);

/// Runs the process until a signal stops it.
pub(crate) fn run(arguments: StandaloneArgs) -> anyhow::Result<ExitCode> {
    let config = arguments.read().map_err(host::StartupError::from)?;
    host::start_logging_with_panic_hook(&config.log, config.log_format)?;
    let runtime = build_runtime()?;
    let outcome = runtime.block_on(serve_until_signal(config))?;
    outcome.exit()
}

async fn serve_until_signal(config: StandaloneConfig) -> anyhow::Result<host::ShutdownOutcome> {
    let metrics = install_metrics()?;
    let listener = bind_listener(config.listen).await?;
    let address = listener.local_addr()?;
    let folder = DataFolder::open_or_create(&config.data, config.folder, SystemClock).await?;
    let health = Health::default();
    let mut supervisor = Supervisor::new(SystemClock, health.clone());
    let options = EngineOptions {
        limits: config.limits,
        id_memory: IdMemoryBudget::new(config.id_memory_bytes),
    };
    let roles = EmbeddedRoles::start(folder, options, listener, &mut supervisor, &health, metrics);
    if let FeedKind::Synthetic = config.feed {
        spawn_synthetic_feed(&config, &roles, &mut supervisor)?;
    }
    print_addresses(&config, address);
    spawn_status_line(&roles, &mut supervisor);
    let folder = roles.folder.clone();
    let outcome = supervisor.run_until_shutdown(SHUTDOWN_TIMEOUT).await?;
    folder.close();
    Ok(outcome)
}

fn spawn_synthetic_feed(
    config: &StandaloneConfig,
    roles: &EmbeddedRoles,
    supervisor: &mut Supervisor<SystemClock>,
) -> anyhow::Result<()> {
    let feed = collector::SyntheticFeed::new(config.seed, &config.symbols, config.rate)?;
    let producer = Arc::clone(&roles.producer);
    supervisor.spawn(ShutdownStage::Intake, "synthetic feed", move |stop| async move {
        Ok(collector::run_feed(feed, &producer, SystemClock, stop).await?)
    });
    Ok(())
}
