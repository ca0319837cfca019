//! Writes every trade of the log to the tick store.
//!
//! [`BlockBuilder`] groups records into blocks, one for each instrument and event-time hour.
//! [`Archiver`] is the role around it: it fetches records, groups them, inserts the blocks, and
//! only then stores the position.

mod archive;
mod blocks;
mod error;
mod metrics;

pub use archive::{Archiver, BlockPolicy};
pub use blocks::BlockBuilder;
pub use error::ArchiverError;
pub use metrics::ArchiverMetrics;
