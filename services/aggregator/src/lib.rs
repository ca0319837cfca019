//! Folds the trades of each partition into bars.
//!
//! [`FoldCore`] is the fold: a pure state machine that does no I/O and reads no clock.
//! [`PartitionWorker`] is the role around it: it fetches records, loads what the core requests,
//! announces changed bars, and commits state and offset together.
//!
//! | module | contents |
//! |---|---|
//! | `core` | the fold of a partition: records in; bars, dead letters and transactions out |
//! | `core/partition_symbols` | all symbols of the partition, their venues and alarms |
//! | `core/symbol` | one symbol: its windows, watermark, ids, dirty minutes |
//! | `core/minute_accumulator` | the hot path: the sum of the trades of one symbol and minute |
//! | `core/id_set` | which ids were seen: as ranges, or one by one in segments that may leave memory |
//! | `core/loading`, `core/prefetch` | what the core needs loaded, for this record and later ones |
//! | `core/rejections` | dead letters and excluded ranges |
//! | `worker/run`, `worker/session` | the life of a worker, and one stretch of folding |
//! | `worker/committer` | the order of effects: announce, then commit |
//! | `worker/calls` | calls that are repeated until they succeed |
//! | `worker/background` | calls that make progress while the session waits for something else |

mod core;
mod error;
mod metrics;
mod worker;

pub use crate::core::{
    FoldCore, FoldCounts, IdSegmentRequest, IdSetRequest, InstrumentBarUpdate, LoadRequest,
    LoadedData, RefoldRequest,
};
pub use error::WorkerError;
pub use metrics::WorkerMetrics;
pub use worker::{IdMemoryBudget, PartitionWorker, WorkerConfig, WorkerStores, WorkerTopics};
