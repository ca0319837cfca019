//! A partitioned, append-only log behind one trait.
//!
//! [`Log`] is what the roles are written against: a topic of numbered partitions, each a
//! sequence of records at growing offsets. [`EmbeddedLog`] keeps a topic durably in a
//! local file; [`MemoryLog`] keeps a bounded ring of it in memory, with a new epoch each start. The
//! crate `kafka` has the log over Apache Kafka.
//!
//! A reader sees a record only once it is durable, so nothing derived from the log can be
//! ahead of it after a crash.

mod embedded;
mod guarded;
mod memory;
mod metrics;
mod progress;
mod record;
mod traits;
mod wall_clock;

pub use embedded::{EmbeddedLog, EmbeddedOptions, Retention};
pub use guarded::GuardedLog;
pub use memory::MemoryLog;
pub use metrics::Metrics;
pub use record::{Batch, Epoch, NewRecord, Offset, PartitionId, Record};
pub use traits::{Bounds, Log, LogError};
