//! Where bars and ticks are kept, behind traits.
//!
//! [`BarStore`] holds what the aggregators know: bars and, with them in one transaction, the
//! state of the fold. [`BarReader`] is its reading side, which a [`BarStore::snapshot`] gives at
//! one moment. [`TickStore`] holds every trade of the log.

mod bar_store;
mod error;
mod state;
mod tick_store;

pub use bar_store::{BarQuery, BarReader, BarStore, Commit, IdQuery, SymbolQuery};
pub use error::StoreError;
pub use state::{
    BarKey, IdChange, IdChangeSet, IdKey, IdRanges, IdRow, PartitionState, Progress, RejectedRange,
    StoredBar, SymbolRow, Transaction, VenueRow, Verdict,
};
pub use tick_store::{Tick, TickBlock, TickRecord, TickStore};
