//! What goes into the core and comes out of it, beside records and transactions.

use market::{Bar, BarRow, Instrument, Position, RejectReason, Window};
use store::{BarKey, IdSetKey, IdSetRow};

/// Something that has to be loaded before a record can be applied: the next one, or a trade
/// soon after it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Need {
    /// A bar of a closed window.
    Bar(BarKey),
    /// A set of ids.
    Ids {
        /// Which set.
        key: IdSetKey,
        /// Whether its ids are kept as ranges.
        ranged: bool,
    },
    /// What the ticks of a minute add up to. It is needed before the next record has any
    /// effect: what was applied before can be committed, and has to be, since the fold reads
    /// from the store which ticks are no trades.
    Ticks {
        /// Of which instrument.
        instrument: Instrument,
        /// The minute's first nanosecond.
        start_ns: i64,
        /// The ticks before this position.
        up_to: Position,
        /// When the first trade of the minute's hour was appended, in UTC nanoseconds, where
        /// there was one: ticks are kept for so long from then.
        first_append_ns: Option<i64>,
    },
}

impl Need {
    /// Whether it is the bar of a window.
    pub(super) fn is_bar(&self, window: Window) -> bool {
        matches!(self, Self::Bar(key) if key.window == window)
    }
}

/// What the ticks of a minute add up to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refolded {
    /// The bar of its trades, edited and cancelled; none where there are none.
    Bar(Option<Box<Bar>>),
    /// They are not kept any more.
    Gone,
}

/// The answer to a [`Need`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Supply {
    /// The bar, where there is one.
    Bar(BarKey, Option<Box<BarRow>>),
    /// The set of ids.
    Ids {
        /// Which set.
        key: IdSetKey,
        /// Whether its ids are kept as ranges.
        ranged: bool,
        /// What is stored.
        row: IdSetRow,
    },
    /// What the ticks of a minute add up to.
    Ticks {
        /// Of which instrument.
        instrument: Instrument,
        /// The minute's first nanosecond.
        start_ns: i64,
        /// The ticks before this position.
        up_to: Position,
        /// What they add up to.
        refolded: Refolded,
    },
}

/// The bars of one instrument that changed, each whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// Which instrument.
    pub instrument: Instrument,
    /// At least one, in order of intervals and starts.
    pub rows: Vec<BarRow>,
    /// Where the instrument's newest minute starts, changed or not.
    pub newest_minute_ns: i64,
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
    /// Edits and cancels that count.
    pub amendments: u64,
    /// Minutes that were folded anew.
    pub refolds: u64,
    /// Refolds whose minute was marked anew before they came, or was folded anew already.
    pub stale_refolds: u64,
    /// Records that were not counted, by reason.
    pub rejected: Vec<(RejectReason, u64)>,
}
