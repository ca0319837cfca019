//! `candlewick standalone`: everything in one process.

mod config;
mod figures;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clock::SystemClock;
use host::{BuildInfo, Health, MetricsHandle, Stage, Supervisor};

use connect::Folder;

use crate::{Engine, EngineOptions};
use config::{Config, Feed};

pub(crate) use config::StandaloneArgs;

/// How long a shutdown may take.
const SHUTDOWN: Duration = Duration::from_secs(20);

/// Runs until it is told to stop.
pub(crate) fn run(arguments: StandaloneArgs) -> anyhow::Result<ExitCode> {
    let config = Config::read(arguments).map_err(host::Error::from)?;
    host::start_telemetry(&config.log, config.log_format)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(serve(config))?;
    outcome.exit()
}

async fn serve(config: Config) -> anyhow::Result<host::Outcome> {
    let metrics = MetricsHandle::install(BuildInfo {
        version: env!("CARGO_PKG_VERSION"),
        commit: option_env!("CANDLEWICK_COMMIT").unwrap_or("unknown"),
    })?;
    eventlog::Metrics::describe();
    let listener = Engine::listen(config.listen).await?;
    let address = listener.local_addr()?;
    let folder = Folder::open(&config.data, config.folder, SystemClock).await?;
    let health = Health::default();
    let mut supervisor = Supervisor::new(SystemClock, health.clone());
    let engine = Engine::start(
        folder,
        listener,
        EngineOptions::default(),
        &mut supervisor,
        &health,
        metrics,
    );
    if let Feed::Synthetic = config.feed {
        start_feed(&config, &engine, &mut supervisor)?;
    }
    figures::greet(&config, address);
    figures::start(&engine, &mut supervisor);
    let folder = engine.folder.clone();
    let outcome = supervisor.run_until_signal(SHUTDOWN).await?;
    folder.close();
    Ok(outcome)
}

fn start_feed(
    config: &Config,
    engine: &Engine,
    supervisor: &mut Supervisor<SystemClock>,
) -> anyhow::Result<()> {
    let feed = collector::SyntheticFeed::new(config.seed, &config.symbols, config.rate)?;
    let producer = Arc::clone(&engine.producer);
    supervisor.spawn(Stage::Intake, "synthetic feed", move |stop| async move {
        Ok(collector::run(feed, &producer, SystemClock, stop).await?)
    });
    Ok(())
}
