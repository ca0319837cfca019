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
//! | `core/delta` | the trades of one symbol and minute since they were last merged |
//! | `core/ids` | which ids were seen |
//! | `worker` | the order of effects: announce, then commit |

mod core;
mod error;
mod exercise;
mod metrics;
mod worker;

pub use crate::core::{Core, Counts, Need, Refolded, Supply, Update};
pub use error::WorkerError;
pub use exercise::Exercise;
pub use metrics::Metrics;
pub use worker::{Pace, Stores, Topics, Worker};
