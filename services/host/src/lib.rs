//! The process shell: configuration, telemetry, health, supervision, shutdown.
//!
//! It knows nothing of markets. A binary reads as a script over it:
//!
//! ```no_run
//! # use std::time::Duration;
//! # use candlewick_host::{BuildInfo, ConfigReader, Error, Health, LogFilter, LogFormat, MetricsHandle, Stage};
//! # use candlewick_clock::SystemClock;
//! # use candlewick_host::{Supervisor, start_telemetry};
//! # async fn script(log: Option<String>) -> Result<(), Error> {
//! let mut config = ConfigReader::load(None)?;
//! let filter = config.read_or("log", log, LogFilter::default());
//! let brokers = config.read_required::<Vec<String>>("kafka.brokers", None);
//! let brokers = config.finish_with(brokers)?;
//! start_telemetry(&filter, LogFormat::Human)?;
//! let metrics = MetricsHandle::install(BuildInfo { version: "0.1.0", commit: "unknown" })?;
//!
//! let health = Health::default();
//! let mut supervisor = Supervisor::new(SystemClock, health.clone());
//! let worker = health.register("worker");
//! supervisor.spawn(Stage::Process, "worker", async move |stop| {
//!     worker.ready();
//!     # let _ = brokers;
//!     stop.cancelled().await;
//!     Ok(())
//! });
//! supervisor.spawn(Stage::Observe, "metrics", async move |stop| {
//!     metrics.run_maintenance(SystemClock, stop).await;
//!     Ok(())
//! });
//! supervisor.run_until_signal(Duration::from_secs(30)).await?.exit()
//! # }
//! ```

mod config;
mod error;
mod health;
mod metrics;
mod supervisor;
mod telemetry;

pub use config::{ConfigErrors, ConfigReader, EXIT_USAGE, Secret, Setting};
pub use error::Error;
pub use health::{
    ComponentReport, DependencyHealth, Health, HealthComponent, HealthReport, HealthStatus,
};
pub use metrics::{BuildInfo, MetricsHandle};
pub use supervisor::{ShutdownOutcome, Stage, Supervisor, TaskFailure};
pub use telemetry::{LogFilter, LogFormat, start_telemetry};
