//! Appending to the log: trades are checked, keyed, partitioned and appended.
//!
//! The API and the collectors append trades through a [`IngestProducer`]. It declares venues,
//! rejects what the fold would reject anyway, and returns only once the log holds the rest durably.
//! Edits, cancels and repairs are appended in the same way.

mod amend;
mod declare;
mod error;
mod generations;
mod known_settings;
mod metrics;
mod partitioned;
mod producer;
mod routes;
mod venue_and_symbol_limits;
mod venues;

pub use error::{FixedSettings, IngestError};
pub use known_settings::{KnownSettings, MomentBeforeRead};
pub use metrics::IngestMetrics;
pub use partitioned::RejectedTrade;
pub use producer::{AppendResult, IngestProducer};
pub use venue_and_symbol_limits::VenueAndSymbolLimits;
