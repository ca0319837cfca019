//! `candlewick migrate`: makes the tables of the stores, or brings them up to date.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use clock::{Clock, RetryPolicy, SystemClock};
use host::ConfigErrors;
use store::{
    ClickHouseConfig, ClickHouseTickStore, StoreError, TimescaleBarStore, TimescaleConfig,
    TimescaleMigration,
};

use super::connect::is_final;
use connect::{ClickHouseArgs, ProcessArgs, ProcessSettings, TimescaleArgs, ignore_all_but};

/// The longest first wait before another try, and the longest of all.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Makes the tables of bars and ticks, or brings them up to date. It may be run at any time, as
/// often as you like, and beside running processes of the same version.
#[derive(Debug, Default, Args)]
pub(crate) struct MigrateArgs {
    /// How long to wait for servers that do not answer yet [default: 60s]
    #[arg(long, value_name = "TIME")]
    pub(crate) wait: Option<String>,
    #[command(flatten)]
    pub(crate) timescaledb: TimescaleArgs,
    #[command(flatten)]
    pub(crate) clickhouse: ClickHouseArgs,
    #[command(flatten)]
    pub(crate) process: ProcessArgs,
}

struct Settings {
    wait: Duration,
    timescaledb: Option<TimescaleConfig>,
    clickhouse: Option<ClickHouseConfig>,
}

impl MigrateArgs {
    fn read(self) -> Result<(ProcessSettings, Settings), ConfigErrors> {
        let mut layers = self.process.layers()?;
        ignore_all_but(&mut layers, &["timescaledb", "clickhouse"]);
        let process = self.process.read(&mut layers, 0);
        let settings = Settings {
            wait: layers.take("wait", self.wait, Duration::from_secs(60)),
            timescaledb: self.timescaledb.read_optional(&mut layers),
            clickhouse: self.clickhouse.read_optional(&mut layers),
        };
        if settings.timescaledb.is_none() && settings.clickhouse.is_none() {
            layers.reject(
                "timescaledb.url",
                "the URL of TimescaleDB, of ClickHouse, or both",
            );
        }
        layers.finish()?;
        Ok((process, settings))
    }
}

/// Migrates, and says what was done.
pub(crate) fn run(arguments: MigrateArgs) -> anyhow::Result<ExitCode> {
    let (process, settings) = arguments.read().map_err(host::Error::from)?;
    host::start_telemetry(&process.log, process.log_format)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(migrate(&settings))?;
    Ok(ExitCode::SUCCESS)
}

async fn migrate(settings: &Settings) -> Result<(), StoreError> {
    if let Some(config) = &settings.timescaledb {
        let migrate = || TimescaleBarStore::migrate(config.clone());
        let TimescaleMigration {
            found,
            now,
            edition,
        } = patiently(settings.wait, migrate).await?;
        println!(
            "timescaledb: up to date (version {found} before, {now} now; {edition:?} edition)"
        );
    }
    if let Some(config) = &settings.clickhouse {
        let migrate = || ClickHouseTickStore::migrate(config);
        let (found, now) = patiently(settings.wait, migrate).await?;
        println!("clickhouse: up to date (version {found} before, {now} now)");
    }
    Ok(())
}

/// Tries again while the server does not answer, as long as the patience lasts.
async fn patiently<T, F>(patience: Duration, call: impl Fn() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let begin_ns = SystemClock.monotonic_ns();
    let mut backoff = RetryPolicy::new(FIRST_WAIT, LONGEST_WAIT).backoff();
    loop {
        let error = match call().await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let waited = Duration::from_nanos(SystemClock.monotonic_ns() - begin_ns);
        if is_final(&error) || !error.is_transient() || waited >= patience {
            return Err(error);
        }
        tracing::warn!(%error, "trying again shortly");
        SystemClock.sleep(backoff.next_delay()).await;
    }
}
