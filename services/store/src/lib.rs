//! The stores of bars, ticks and newest prices, behind traits.
//!
//! [`BarStore`] stores bars and, in the same transactions, the state of the fold. [`BarReader`]
//! reads them, as they are now or as of one moment ([`BarStore::snapshot`]). [`TickStore`] stores
//! all ticks of the log, and [`trades_current`] returns those that count as trades.
//! [`NewestPriceStore`] stores the newest prices. [`GuardedStore`] and [`GuardedBarStore`] put a
//! timeout and a circuit breaker around a store.
//!
//! | store | bars | ticks | newest prices |
//! |---|---|---|---|
//! | one process | [`SqliteBarStore`] | [`SqliteTickStore`] | [`MemoryNewestPriceStore`] |
//! | cluster | [`TimescaleBarStore`] | [`ClickHouseTickStore`] | [`RedisNewestPriceStore`] |

mod bar_store;
mod clickhouse;
mod compression;
mod current;
mod epoch_ends;
mod error;
mod first_deliveries;
mod guarded;
mod hot_store;
mod id_chunk;
mod key_bounds;
mod last_rows;
mod metrics;
mod offset_run;
mod password;
mod redis;
mod sqlite;
mod state;
mod tick_lookup;
mod tick_store;
mod timescale;
mod topic_generation;

pub use bar_store::{BarQuery, BarReader, BarStore, CommitOutcome, IdRangesQuery, SymbolQuery};
pub use clickhouse::{ClickHouseConfig, ClickHouseTickStore};
pub use current::{
    AdmittedTradesSummary, AmendmentIndex, DuplicateComparison, DuplicateTick, TickClassifier,
    TickInclusion, TradeField, UnmatchedDuplicate, differing_fields, find_verdict,
    trades_admitted_and_current, trades_current,
};
pub use epoch_ends::EpochEnds;
pub use error::StoreError;
pub use first_deliveries::{FirstDeliveryFinder, load_excluded_ranges};
pub use guarded::{GuardedBarStore, GuardedStore};
pub use hot_store::{MemoryNewestPriceStore, NewestPrice, NewestPriceStore};
pub use metrics::StoreMetrics;
pub use offset_run::OffsetRun;
pub use redis::{RedisConfig, RedisNewestPriceStore};
pub use sqlite::{SqliteBarReader, SqliteBarStore, SqliteTickStore};
pub use state::{
    AMENDMENTS_SCOPE, BarKey, DirtyMinuteChange, DirtyMinuteRow, ExcludedRange, IdChunkWrite,
    IdRanges, IdSegmentKey, IdSegmentStart, IdSegmentSummary, IdSetChange, IdSetKey, IdSetWrites,
    PartitionProgress, PartitionState, PartitionTransaction, PendingAmendmentRow, RefoldMark,
    SegmentIds, StoredBar, StoredIdSegment, StoredIdSet, SymbolRow, TickVerdict, VenueRow,
};
pub use tick_lookup::TickLookup;
pub use tick_store::{ArchiveProgress, Tick, TickBlock, TickRecord, TickStore};
pub use timescale::{
    TimescaleBarReader, TimescaleBarStore, TimescaleConfig, TimescaleEdition,
    TimescaleMigrationResult,
};
pub use topic_generation::{RegisteredTopicGeneration, TopicGeneration};
