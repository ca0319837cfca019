//! What a partition's fold carries from one record to the next.

use std::sync::Arc;

use market::{
    Bar, BarRow, Instrument, Position, RejectReason, TradeId, Venue, VenueSettings, Window,
};

/// How far a partition has been folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionProgress {
    /// Which partition of `trades`.
    pub partition: u32,
    /// The generation of `trades`.
    pub epoch: u64,
    /// The first offset that is not folded yet.
    pub next_offset: u64,
    /// Where in `bar-updates` an API reads on: the owner's first update caused by a record at
    /// or after `next_offset` lies there or later.
    pub updates: Position,
    /// The greatest append time of the folded records, in UTC nanoseconds; 0 before the first.
    pub append_time_ns: i64,
}

impl PartitionProgress {
    /// Returns the position of the first record that is not folded yet.
    #[must_use]
    pub const fn position(&self) -> Position {
        Position {
            epoch: self.epoch,
            offset: self.next_offset,
        }
    }

    /// Returns the row of `partition` among `rows`.
    #[must_use]
    pub fn find_in(rows: &[Self], partition: u32) -> Option<&Self> {
        rows.iter().find(|row| row.partition == partition)
    }
}

/// What the fold knows of a symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SymbolRow {
    /// Which one.
    pub instrument: Instrument,
    /// Its watermark as of its last trade, in UTC nanoseconds.
    pub watermark_ns: i64,
    /// When the log took its last trade, in UTC nanoseconds.
    pub last_append_ns: i64,
    /// Windows that end at or before this are closed, in UTC nanoseconds.
    pub closed_until_ns: i64,
}

/// A venue's settings as they are in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VenueRow {
    /// Which venue.
    pub venue: Venue,
    /// Its settings.
    pub settings: VenueSettings,
}

/// A bar with the instrument that it is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBar {
    /// Which instrument.
    pub instrument: Instrument,
    /// The bar.
    pub row: BarRow,
}

/// Names a bar.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BarKey {
    /// Which instrument.
    pub instrument: Instrument,
    /// Which window.
    pub window: Window,
}

/// Names a set of ids: what one id is unique within.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IdSetKey {
    /// Which instrument.
    pub instrument: Instrument,
    /// The exchange or the file, of at most 64 bytes; for a sender's indexes a longer text;
    /// else empty.
    pub scope: Arc<str>,
    /// The event-time hour or day that the ids belong to, by its first nanosecond; -1 where
    /// they belong to none.
    pub bucket_ns: i64,
}

/// Numbers as inclusive ranges `(first, last)` that neither overlap nor touch, in order.
pub type IdRanges = Vec<(u64, u64)>;

/// A set of ids as it is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdSetRow {
    /// The numbers that are kept as ranges.
    pub ranges: IdRanges,
    /// The ids that are kept one by one, in no order.
    pub exact: Vec<TradeId>,
    /// When the log took the set's newest trade, in UTC nanoseconds.
    pub last_append_ns: i64,
}

/// What a set of ids has gained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdSetChange {
    /// Which set.
    pub key: IdSetKey,
    /// When the log took the set's newest trade, in UTC nanoseconds.
    pub last_append_ns: i64,
    /// The gain.
    pub change: IdSetDiff,
}

/// What a set of ids has gained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdSetDiff {
    /// Ranges by their first number: those to be written, over any with the same first, and
    /// the firsts of those that are now part of another.
    Ranges {
        /// `(first, last)`, inclusive.
        put: IdRanges,
        /// Firsts.
        remove: Vec<u64>,
    },
    /// Ids to be added; none of them is in the set yet.
    Exact {
        /// The ids.
        add: Vec<TradeId>,
    },
}

/// What the fold decided of a record that is a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Its identity was seen before.
    Duplicate,
    /// The state rejects it.
    Rejected(RejectReason),
}

impl Verdict {
    /// Its name in stores and metrics.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Duplicate => "duplicate",
            Self::Rejected(reject) => reject.code(),
        }
    }

    /// The one with that name.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        if code == Self::Duplicate.code() {
            return Some(Self::Duplicate);
        }
        RejectReason::from_code(code).map(Self::Rejected)
    }
}

/// Ticks that are no trades: offsets `[first, end)` of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExcludedRange {
    /// The generation of `trades`.
    pub epoch: u64,
    /// The first offset.
    pub first: u64,
    /// One past the last offset.
    pub end: u64,
    /// Why they are not counted.
    pub verdict: Verdict,
    /// When the log took the last of them, in UTC nanoseconds.
    pub append_time_ns: i64,
}

/// Says that a minute is to be folded anew from its ticks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefoldMark {
    /// The ticks before this position are folded anew: one past the newest record that marked
    /// the minute.
    pub up_to: Position,
    /// How many edits and cancels are to be counted in `revision` then.
    pub amendments: u64,
    /// The trades of the minute that were counted at or after `up_to`.
    pub later: Option<Bar>,
}

/// A minute that is marked. While it is, its bar and the longer ones that hold it are served as
/// they are, and need not be what their trades say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirtyMinuteRow {
    /// Of which instrument.
    pub instrument: Instrument,
    /// The minute's first nanosecond.
    pub start_ns: i64,
    /// The mark.
    pub mark: RefoldMark,
}

/// A minute that was marked, or marked anew, or folded anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirtyMinuteChange {
    /// Of which instrument.
    pub instrument: Instrument,
    /// The minute's first nanosecond.
    pub start_ns: i64,
    /// Its mark from now on; none where it is not dirty any more.
    pub mark: Option<RefoldMark>,
}

/// A trade that was edited or cancelled before it came.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PendingAmendmentRow {
    /// The set that its id belongs to.
    pub key: IdSetKey,
    /// Its id there.
    pub id: TradeId,
    /// When the log took the edit or the cancel, in UTC nanoseconds.
    pub append_time_ns: i64,
}

/// All that an aggregator needs to go on where the last one stopped. Bars of closed windows and
/// ids are asked for when a trade needs them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionState {
    /// How far it was folded.
    pub progress: PartitionProgress,
    /// Every symbol.
    pub symbols: Vec<SymbolRow>,
    /// Every venue.
    pub venues: Vec<VenueRow>,
    /// Every bar that is not closed.
    pub open_bars: Vec<StoredBar>,
    /// Every minute that is marked.
    pub dirty: Vec<DirtyMinuteRow>,
    /// Every trade that was edited or cancelled before it came, while the verdicts of that time
    /// are kept.
    pub ahead: Vec<PendingAmendmentRow>,
}

/// One step of a partition's state, written whole or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// The position that the stored progress must have for this transaction to be committed.
    pub expected: Position,
    /// Where it is afterwards.
    pub progress: PartitionProgress,
    /// Bars to be written over those stored.
    pub bars: Vec<StoredBar>,
    /// Symbols to be written over those stored.
    pub symbols: Vec<SymbolRow>,
    /// Settings to be written over those stored.
    pub venues: Vec<VenueRow>,
    /// What sets of ids have gained.
    pub ids: Vec<IdSetChange>,
    /// Ticks that are no trades.
    pub rejected: Vec<ExcludedRange>,
    /// Minutes that were marked or folded anew, each once.
    pub dirty: Vec<DirtyMinuteChange>,
    /// Trades that were edited or cancelled before they came; some may be stored already.
    pub ahead: Vec<PendingAmendmentRow>,
}
