//! What surrounds the work of a process: configuration, logs, metrics, health, supervision and
//! shutdown.
//!
//! Nothing here concerns markets. A program uses it as a script:
//!
//! ```no_run
//! # use std::time::Duration;
//! # use candlewick_host::{BuildInfo, ErrorCollectingConfigReader, Health, LogFilter, LogFormat};
//! # use candlewick_host::MetricsHandle;
//! # use clock::SystemClock;
//! # use candlewick_host::{ShutdownStage, StartupError, Supervisor, start_logging_with_panic_hook};
//! # async fn script(log: Option<String>) -> Result<(), StartupError> {
//! let mut config = ErrorCollectingConfigReader::load(None)?;
//! let filter = config.read_or("log", log, LogFilter::default());
//! let brokers = config.read_required::<Vec<String>>("kafka.brokers", None);
//! let brokers = config.finish_with(brokers)?;
//! start_logging_with_panic_hook(&filter, LogFormat::Human)?;
//! let metrics = MetricsHandle::install(BuildInfo { version: "0.1.0", commit: "unknown" })?;
//!
//! let health = Health::default();
//! let mut supervisor = Supervisor::new(SystemClock, health.clone());
//! let worker = health.register("worker");
//! supervisor.spawn(ShutdownStage::Process, "worker", async move |stop| {
//!     worker.ready();
//!     # let _ = brokers;
//!     stop.cancelled().await;
//!     Ok(())
//! });
//! supervisor.spawn(ShutdownStage::Observe, "metrics", async move |stop| {
//!     metrics.run_maintenance(SystemClock, stop).await;
//!     Ok(())
//! });
//! supervisor.run_until_shutdown(Duration::from_secs(30)).await?.exit()
//! # }
//! ```

mod config;
mod error;
mod health;
mod metrics;
mod supervisor;
mod table;
mod telemetry;

pub use config::{ConfigErrors, EXIT_USAGE, ErrorCollectingConfigReader, Secret, SettingValue};
pub use error::StartupError;
pub use health::{
    ComponentReport, DependencyComponent, Health, HealthComponent, HealthReport, ReadyStatus,
};
pub use metrics::{BuildInfo, MetricsHandle};
pub use supervisor::{ShutdownOutcome, ShutdownStage, Supervisor, TaskFailure};
pub use table::{Align, TextTable, format_count};
pub use telemetry::{LogFilter, LogFormat, start_logging_with_panic_hook};
