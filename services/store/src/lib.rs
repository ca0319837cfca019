//! Where bars and ticks are kept, behind traits.
//!
//! [`BarStore`] holds what the aggregators know: bars and, with them in one transaction, the
//! state of the fold. [`BarReader`] is its reading side, which a [`BarStore::snapshot`] gives at
//! one moment. [`TickStore`] holds every trade of the log, and [`trades_current`] says which
//! of its ticks count.
//!
//! | store | bars | ticks | newest prices |
//! |---|---|---|---|
//! | one process | [`SqliteBarStore`] | [`SqliteTickStore`] | [`MemoryHotStore`] |
//! | cluster | [`TimescaleBarStore`] | [`ClickHouseTickStore`] | [`RedisHotStore`] |

mod bar_store;
mod clickhouse;
mod compression;
mod current;
mod error;
mod guarded;
mod hot_store;
mod id_chunk;
mod key_bounds;
mod metrics;
mod password;
mod redis;
mod sqlite;
mod state;
mod tick_store;
mod timescale;

pub use bar_store::{BarQuery, BarReader, BarStore, CommitOutcome, IdRangeQuery, SymbolQuery};
pub use clickhouse::{ClickHouseConfig, ClickHouseTickStore};
pub use current::{
    AmendmentIndex, CurrentTrades, TickStatus, UnmatchedDuplicate, find_verdict, trades_current,
};
pub use error::StoreError;
pub use guarded::{Guarded, GuardedBarStore};
pub use hot_store::{HotStore, MemoryHotStore, NewestPrice};
pub use metrics::Metrics;
pub use redis::{RedisConfig, RedisHotStore};
pub use sqlite::{SqliteBarReader, SqliteBarStore, SqliteTickStore};
pub use state::{
    BarKey, DirtyMinuteChange, DirtyMinuteRow, ExcludedRange, IdRanges, IdSetChange, IdSetDiff,
    IdSetKey, IdSetRow, PartitionProgress, PartitionState, PendingAmendmentRow, RefoldMark,
    StoredBar, SymbolRow, Transaction, VenueRow, Verdict,
};
pub use tick_store::{ArchiveProgress, Tick, TickBlock, TickRecord, TickStore};
pub use timescale::{
    TimescaleBarReader, TimescaleBarStore, TimescaleConfig, TimescaleEdition, TimescaleMigration,
};
