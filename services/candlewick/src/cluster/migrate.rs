//! `candlewick migrate`: creates the tables of the stores, or migrates them to this version.

use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use clock::{RetryPolicy, SystemClock};
use connect::{
    ClickHouseArgs, ProcessArgs, ProcessSettings, TimescaleArgs, ignore_server_sections_except,
    show_defaults_in_help,
};
use host::{ConfigErrors, ErrorCollectingConfigReader};
use store::{
    ClickHouseConfig, ClickHouseTickStore, StoreError, TimescaleBarStore, TimescaleConfig,
    TimescaleMigrationResult,
};

use super::availability::{FIRST_WAIT, MAX_WAIT};
use super::servers::is_unusable_store;
use crate::process::build_runtime;

/// Creates the tables of bars and ticks, or migrates them to this version. It may be run at any
/// time, any number of times, and next to running processes of the same version.
#[derive(Debug, Default, Args)]
#[command(mut_args = show_defaults_in_help(|reader| {
    Self::default().read_wait_limit(reader);
}))]
pub(crate) struct MigrateArgs {
    /// How long to wait for servers that do not answer yet
    #[arg(long, value_name = "TIME")]
    wait: Option<String>,
    /// Let the next aggregator fold the topics of another Kafka cluster, or of another name, into
    /// this database, as a new epoch
    #[arg(long)]
    adopt_topics: bool,
    #[command(flatten)]
    timescaledb: TimescaleArgs,
    #[command(flatten)]
    clickhouse: ClickHouseArgs,
    #[command(flatten)]
    process: ProcessArgs,
}

#[derive(Debug)]
pub(crate) struct MigrateSettings {
    wait: Duration,
    adopt_topics: bool,
    timescaledb: Option<TimescaleConfig>,
    clickhouse: Option<ClickHouseConfig>,
}

impl MigrateArgs {
    fn read(self) -> Result<(ProcessSettings, MigrateSettings), ConfigErrors> {
        let mut reader = self.process.load_config()?;
        ignore_server_sections_except(&mut reader, &["timescaledb", "clickhouse"]);
        let (process, settings) = self.read_and_collect_errors(&mut reader);
        if settings.timescaledb.is_none() && settings.clickhouse.is_none() {
            reader.reject(
                "timescaledb.url",
                "the URL of TimescaleDB, of ClickHouse, or both",
            );
        }
        reader.finish()?;
        Ok((process, settings))
    }

    /// Reads the settings, but does not check the file for unknown keys. Errors are collected in
    /// the reader.
    pub(crate) fn read_and_collect_errors(
        self,
        reader: &mut ErrorCollectingConfigReader,
    ) -> (ProcessSettings, MigrateSettings) {
        let wait = self.read_wait_limit(reader);
        // A migration does not listen: the port is not used.
        let process = self.process.read(reader, 0);
        let settings = MigrateSettings {
            wait,
            adopt_topics: self.adopt_topics,
            timescaledb: self.timescaledb.read_optional(reader),
            clickhouse: self.clickhouse.read_optional(reader),
        };
        (process, settings)
    }

    fn read_wait_limit(&self, reader: &mut ErrorCollectingConfigReader) -> Duration {
        reader.read_or("wait", self.wait.clone(), Duration::from_secs(60))
    }
}

/// Migrates, and prints the versions before and after.
pub(crate) fn run(arguments: MigrateArgs) -> anyhow::Result<ExitCode> {
    let (process, settings) = arguments.read().map_err(host::StartupError::from)?;
    host::start_logging_with_panic_hook(&process.log, process.log_format)?;
    build_runtime()?.block_on(migrate(&settings))?;
    Ok(ExitCode::SUCCESS)
}

async fn migrate(settings: &MigrateSettings) -> Result<(), StoreError> {
    if let Some(config) = &settings.timescaledb {
        let migrate = || TimescaleBarStore::migrate(config.clone());
        let TimescaleMigrationResult {
            found,
            now,
            edition,
        } = retry_while_unavailable(settings.wait, migrate).await?;
        println!(
            "timescaledb: up to date (version {found} before, {now} now; {edition:?} edition)"
        );
        if settings.adopt_topics {
            TimescaleBarStore::forget_topic_origins(config.clone()).await?;
            println!("timescaledb: the next aggregator may bring topics of another origin");
        }
    }
    if let Some(config) = &settings.clickhouse {
        let migrate = || ClickHouseTickStore::migrate(config);
        let (found, now) = retry_while_unavailable(settings.wait, migrate).await?;
        println!("clickhouse: up to date (version {found} before, {now} now)");
    }
    Ok(())
}

/// Repeats `call` while the server does not answer, until `limit` has passed.
async fn retry_while_unavailable<T, F>(
    limit: Duration,
    call: impl Fn() -> F,
) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let policy = RetryPolicy::new(FIRST_WAIT, MAX_WAIT).give_up_after(limit);
    let should_retry = |error: &StoreError| {
        let is_transient = error.is_transient() && !is_unusable_store(error);
        if is_transient {
            tracing::warn!(%error, "the server does not answer yet");
        }
        is_transient
    };
    clock::retry(&SystemClock, &policy, should_retry, call).await
}
