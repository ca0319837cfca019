//! Writes every trade of the log to the tick store.
//!
//! [`Blocks`] sorts records into blocks, one an instrument and event-time hour; [`Archiver`] is
//! the role around it: fetch, sort, insert, and only then note the position.

mod archive;
mod blocks;
mod error;
mod metrics;

pub use archive::{Archiver, BlockPolicy};
pub use blocks::Blocks;
pub use error::ArchiverError;
pub use metrics::Metrics;
