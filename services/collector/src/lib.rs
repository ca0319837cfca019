//! Feeds that produce trades.
//!
//! [`SyntheticFeed`] makes trades up: a seeded random walk of a handful of symbols. [`run`]
//! sends them through an [`ingest::Producer`] until it is told to stop.

mod error;
mod metrics;
mod run;
mod synthetic;

pub use error::CollectorError;
pub use metrics::Metrics;
pub use run::run;
pub use synthetic::{FeedError, SyntheticFeed};
