//! A partitioned, append-only log behind one trait.
//!
//! [`Log`] is what the roles are written against: a topic of numbered partitions, each a
//! sequence of records at growing offsets. [`EmbeddedLog`] keeps a topic durably in a
//! local file; [`MemoryLog`] keeps a bounded ring of it in memory, with a new epoch each start.
//!
//! A reader sees a record only once it is durable, so nothing derived from the log can be
//! ahead of it after a crash.

mod record;
mod traits;

pub use record::{Batch, Entry, Epoch, Offset, PartitionId, Record};
pub use traits::{Bounds, Log, LogError};
