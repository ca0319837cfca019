//! A partitioned, append-only log behind one trait.
//!
//! The roles are written against [`Log`]: a topic of numbered partitions, each a sequence of
//! records at growing offsets. [`EmbeddedLog`] keeps a topic durably in a local file. [`MemoryLog`]
//! keeps the newest records of a topic in memory, and has a new epoch after each start. The crate
//! `kafka` has the log over Apache Kafka. [`AppendGuardedLog`] puts the appends to any of them
//! behind a timeout and a circuit breaker.
//!
//! A reader sees a record only once it is durable, so nothing that is derived from the log can be
//! ahead of it after a crash.

#[cfg(feature = "contract")]
pub mod contract;
mod embedded;
mod error;
mod far_future_record;
mod guarded;
mod log;
mod memory;
mod metrics;
mod partition_end;
mod record;
mod wall_clock;

pub use embedded::{EmbeddedLog, EmbeddedOptions, OngoingCommitFailure, RetentionLimits};
pub use error::LogError;
pub use far_future_record::{FarFutureRecord, split_before_far_future_record};
pub use guarded::AppendGuardedLog;
pub use log::{Log, OffsetBounds};
pub use memory::MemoryLog;
pub use metrics::TopicMetrics;
pub use record::{Epoch, NewRecord, Offset, PartitionId, Record, RecordBatch};
