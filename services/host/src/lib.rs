//! The process shell: configuration, telemetry, health, supervision, shutdown.
//!
//! It knows nothing of markets. A binary reads as a script over it:
//!
//! ```no_run
//! # use std::time::Duration;
//! # use candlewick_host::{BuildInfo, Error, Health, Layers, LogFilter, LogFormat, MetricsHandle, Stage};
//! # use candlewick_clock::SystemClock;
//! # use candlewick_host::{Supervisor, start_telemetry};
//! # async fn script(log: Option<String>) -> Result<(), Error> {
//! let mut config = Layers::load(None)?;
//! let filter = config.take("log", log, LogFilter::default());
//! let brokers = config.require::<Vec<String>>("kafka.brokers", None);
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
//! supervisor.spawn(Stage::Observe, "metrics-upkeep", async move |stop| {
//!     metrics.upkeep(SystemClock, stop).await;
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
mod table;
mod telemetry;

pub use config::{ConfigErrors, EXIT_USAGE, Layers, Secret, Setting};
pub use error::Error;
pub use health::{
    ComponentReport, DependencyHealth, Health, HealthComponent, HealthReport, HealthStatus,
};
pub use metrics::{BuildInfo, MetricsHandle};
pub use supervisor::{Outcome, Stage, Supervisor, TaskFailure};
pub use table::{Align, TextTable, format_count};
pub use telemetry::{LogFilter, LogFormat, start_telemetry};
