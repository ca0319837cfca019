//! What goes into the core and comes out of it, beside records and transactions.

use market::{BarRow, Instrument, Reject};
use store::{BarKey, IdKey, IdRow};

/// Something that has to be loaded before the next record can be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// A bar of a closed window.
    Bar(BarKey),
    /// A set of ids.
    Ids {
        /// Which set.
        key: IdKey,
        /// Whether its ids are kept as ranges.
        ranged: bool,
    },
}

/// The answer to a [`Need`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Supply {
    /// The bar, where there is one.
    Bar(BarKey, Option<Box<BarRow>>),
    /// The set of ids.
    Ids {
        /// Which set.
        key: IdKey,
        /// Whether its ids are kept as ranges.
        ranged: bool,
        /// What is stored.
        row: IdRow,
    },
}

/// The bars of one instrument that changed, each whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// Which instrument.
    pub instrument: Instrument,
    /// At least one, in order of intervals and starts.
    pub rows: Vec<BarRow>,
}

/// What was counted since the last [`take_counts`](crate::Core::take_counts).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Trades that count.
    pub trades: u64,
    /// Of these, trades whose minute was closed before.
    pub late: u64,
    /// Trades whose identity was seen before.
    pub duplicates: u64,
    /// Records that were not counted, by reason.
    pub rejected: Vec<(Reject, u64)>,
}
