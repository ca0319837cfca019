//! Folds the trades of each partition into bars.
//!
//! [`Core`] is the fold: a pure state machine that does no I/O and reads no clock. [`Worker`]
//! is the role around it: it fetches records, loads what the core asks for, announces changed
//! bars, and commits state and offset together.
//!
//! | module | one idea |
//! |---|---|
//! | `core` | records in, bars, dead letters and transactions out |
//! | `core/symbol` | one symbol's windows, watermark and closes |
//! | `core/symbol/dirty` | minutes to be folded anew: edits, cancels, repairs |
//! | `core/symbol/ahead` | trades that were edited or cancelled before they came |
//! | `core/foresight` | what trades will need that come after one that waits |
//! | `core/delta` | the trades of one symbol and minute since they were last merged |
//! | `core/ids` | which ids were seen |
//! | `worker` | the order of effects: announce, then commit |
//! | `worker/aside` | calls that go on while the worker waits for others |

mod core;
mod error;
mod exercise;
mod metrics;
mod worker;

pub use crate::core::{Core, Counts, Need, Refolded, Supply, Update};
pub use error::WorkerError;
pub use exercise::Exercise;
pub use metrics::Metrics;
pub use worker::{Stores, Topics, Worker, WorkerConfig};
