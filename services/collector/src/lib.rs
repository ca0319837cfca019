//! Feeds that produce trades.
//!
//! [`SyntheticFeed`] generates trades: a seeded random walk of a few symbols. [`run_feed`] appends
//! them to the log through an [`ingest::IngestProducer`] until it is stopped.

mod error;
mod metrics;
mod run;
mod synthetic;

pub use error::CollectorError;
pub use metrics::FeedMetrics;
pub use run::run_feed;
pub use synthetic::{FeedSettingsError, SyntheticFeed};
