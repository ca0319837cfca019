//! The rows of a partition's state: what the fold needs to continue after a restart.

use std::sync::Arc;

use market::{
    Bar, BarRow, DeclaredSettings, Instrument, Position, RejectReason, TradeId, Venue,
    VenueSettings, Window,
};

/// How far a partition has been folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionProgress {
    /// The partition of `trades`.
    pub partition: u32,
    /// The generation of `trades`.
    pub epoch: u64,
    /// The first offset that is not folded yet.
    pub next_offset: u64,
    /// Where in `bar-updates` an API continues reading: the first update that was caused by a
    /// record at or after `next_offset` is at this position or later.
    pub updates_position: Position,
    /// The greatest append time of the folded records, in UTC nanoseconds; 0 before the first.
    pub append_time_ns: i64,
}

impl PartitionProgress {
    /// Returns the position of the first record that is not folded yet.
    #[must_use]
    pub const fn next_position(&self) -> Position {
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

/// The state of the fold of one symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SymbolRow {
    /// The symbol and its venue.
    pub instrument: Instrument,
    /// The watermark as of the last trade, in UTC nanoseconds.
    pub watermark_ns: i64,
    /// The append time of the last trade, in UTC nanoseconds.
    pub last_append_ns: i64,
    /// Windows that end at or before this are closed, in UTC nanoseconds.
    pub closed_until_ns: i64,
    /// The first nanosecond of the newest minute that has traded, in UTC nanoseconds.
    pub newest_minute_ns: i64,
}

impl SymbolRow {
    /// Returns the time up to which windows are closed at an append time that the fold has reached,
    /// in UTC nanoseconds. The stored time is that of the last trade or close; windows without
    /// trades close as time passes.
    #[must_use]
    pub fn closed_until_ns_at(&self, settings: &VenueSettings, append_time_ns: i64) -> i64 {
        let watermark_ns =
            settings.watermark_at(self.watermark_ns, self.last_append_ns, append_time_ns);
        let closed_ns = watermark_ns.saturating_sub(settings.lateness_ns);
        self.closed_until_ns.max(closed_ns)
    }
}

/// The settings of a venue that are in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VenueRow {
    /// The name of the venue.
    pub venue: Venue,
    /// The settings.
    pub settings: VenueSettings,
    /// The position, in partition 0 of `trades`, of the record that resulted in them.
    pub declared_at: Position,
}

impl VenueRow {
    /// Returns the settings with their position.
    #[must_use]
    pub const fn declared(&self) -> DeclaredSettings {
        DeclaredSettings {
            settings: self.settings,
            declared_at: self.declared_at,
        }
    }
}

/// A bar with its instrument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBar {
    /// The instrument.
    pub instrument: Instrument,
    /// The bar.
    pub row: BarRow,
}

/// The key of a bar.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BarKey {
    /// The instrument.
    pub instrument: Instrument,
    /// The window.
    pub window: Window,
}

/// The scope of the sets with the amendments' own ids: longer than the 64 bytes that any other
/// scope may have. They are kept as long as bars. Of an hour without bars no horizon ends, so a
/// second delivery would count if the ids of the first were deleted, and the fold would depend on
/// when.
pub const AMENDMENTS_SCOPE: &str =
    "amendments (ids of edits and cancels themselves, not ids of the venue's trades)";

/// The key of a set of ids: what an id is unique within.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IdSetKey {
    /// The instrument.
    pub instrument: Instrument,
    /// The exchange or the file, of at most 64 bytes. For the indexes of a sender a longer text;
    /// otherwise empty.
    pub scope: Arc<str>,
    /// The first nanosecond of the event-time hour or day that the ids belong to; -1 if they
    /// belong to none.
    pub bucket_ns: i64,
}

/// Numbers as inclusive ranges `(first, last)` that neither overlap nor touch, in ascending order.
pub type IdRanges = Vec<(u64, u64)>;

/// Where a segment of a set begins: it holds the ids from here up to the start of the next segment
/// of the same kind. Numbers come before digests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IdSegmentStart {
    /// A segment of numbers.
    Number(u64),
    /// A segment of digests of other ids.
    Digest(u128),
}

impl IdSegmentStart {
    /// Returns the start as a store's key: 8 or 16 bytes, of which the first is the highest.
    #[must_use]
    pub fn to_bytes(self) -> Vec<u8> {
        match self {
            Self::Number(number) => number.to_be_bytes().to_vec(),
            Self::Digest(digest) => digest.to_be_bytes().to_vec(),
        }
    }

    /// Returns the start of a store's key, or `None` if the key has another length.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if let Ok(number) = bytes.try_into() {
            return Some(Self::Number(u64::from_be_bytes(number)));
        }
        let digest = bytes.try_into().ok()?;
        Some(Self::Digest(u128::from_be_bytes(digest)))
    }
}

/// Distinct ids of one kind, ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SegmentIds {
    /// Numbers.
    Numbers(Vec<u64>),
    /// Digests of other ids.
    Digests(Vec<u128>),
}

impl SegmentIds {
    /// Returns no ids, of the kind of a segment that begins at `start`.
    #[must_use]
    pub const fn empty(start: IdSegmentStart) -> Self {
        match start {
            IdSegmentStart::Number(_) => Self::Numbers(Vec::new()),
            IdSegmentStart::Digest(_) => Self::Digests(Vec::new()),
        }
    }
}

/// The key of a segment of a set of ids.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IdSegmentKey {
    /// The set.
    pub set: IdSetKey,
    /// Where the segment begins.
    pub start: IdSegmentStart,
}

/// What a set says of one of its segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdSegmentSummary {
    /// Where the segment begins.
    pub start: IdSegmentStart,
    /// The number of its chunks.
    pub chunk_count: u32,
    /// The number of bytes of its chunks.
    pub stored_bytes: u64,
}

/// The stored ids of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredIdSegment {
    /// The ids of all chunks.
    pub ids: SegmentIds,
    /// The number of chunks.
    pub chunk_count: u32,
}

/// A set of ids as it is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredIdSet {
    /// The numbers that are stored as ranges.
    pub ranges: IdRanges,
    /// The segments of the ids that are stored one by one, in order of their starts.
    pub segments: Vec<IdSegmentSummary>,
    /// The append time of the newest trade of the set, in UTC nanoseconds.
    pub last_append_ns: i64,
}

/// The ids that a transaction adds to a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdSetChange {
    /// The set.
    pub key: IdSetKey,
    /// The append time of the newest trade of the set, in UTC nanoseconds.
    pub last_append_ns: i64,
    /// What is written and removed.
    pub writes: IdSetWrites,
}

/// The rows that adding ids to a set writes and removes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdSetWrites {
    /// The changed ranges of a set that is stored as ranges.
    Ranges {
        /// The ranges `(first, last)`, inclusive, to write; each replaces a stored range with the
        /// same first number.
        upserted: IdRanges,
        /// The first numbers of the stored ranges that are part of another range now.
        removed_firsts: Vec<u64>,
    },
    /// The changed segments of a set that is stored id by id.
    Segments {
        /// The segments to remove, with all their chunks, before anything is written.
        removed: Vec<IdSegmentStart>,
        /// The chunks to write; each replaces a stored chunk with the same number.
        written: Vec<IdChunkWrite>,
    },
}

/// A chunk of a segment to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdChunkWrite {
    /// Where the segment begins.
    pub start: IdSegmentStart,
    /// The number of the chunk. The chunks of a segment are numbered from 0, without gaps.
    pub chunk: u32,
    /// The ids of the chunk, of which there is at least one.
    pub ids: SegmentIds,
}

/// Why a tick is no trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TickVerdict {
    /// A trade with the same identity was counted before.
    Duplicate,
    /// The fold rejected it.
    Rejected(RejectReason),
    /// Its epoch ended before it was folded.
    BeyondEpochEnd,
}

impl TickVerdict {
    /// Returns its name in stores and metrics.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Duplicate => "duplicate",
            Self::Rejected(reason) => reason.code(),
            Self::BeyondEpochEnd => "beyond_epoch_end",
        }
    }

    /// Returns the verdict with that name, or `None` if there is none.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        for verdict in [Self::Duplicate, Self::BeyondEpochEnd] {
            if code == verdict.code() {
                return Some(verdict);
            }
        }
        RejectReason::from_code(code).map(Self::Rejected)
    }
}

/// Ticks that do not count as trades: their records have the offsets `[first_offset, end_offset)`
/// of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExcludedRange {
    /// The generation of `trades`.
    pub epoch: u64,
    /// The first offset.
    pub first_offset: u64,
    /// One past the last offset.
    pub end_offset: u64,
    /// Why they are not counted.
    pub verdict: TickVerdict,
    /// The append time of the last of them, in UTC nanoseconds.
    pub append_time_ns: i64,
}

/// A mark on a minute that has to be folded again from its ticks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefoldMark {
    /// The end of the ticks to fold again, exclusive: one past the newest record that marked the
    /// minute.
    pub up_to: Position,
    /// The number of edits and cancels that the refold adds to `revision`.
    pub amendments: u64,
    /// Whether the refold counts even if its ticks are not all there.
    pub force: bool,
    /// The bar of the minute's trades that were counted at or after `up_to`.
    pub later_bar: Option<Bar>,
}

/// A minute that is marked. As long as it is, its bar and the longer bars that contain it are
/// served as they are, and may not match their trades.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirtyMinuteRow {
    /// The instrument.
    pub instrument: Instrument,
    /// The first nanosecond of the minute.
    pub start_ns: i64,
    /// The mark.
    pub mark: RefoldMark,
}

/// A change of a minute's mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirtyMinuteChange {
    /// The instrument.
    pub instrument: Instrument,
    /// The first nanosecond of the minute.
    pub start_ns: i64,
    /// The new mark; `None` if the minute is no longer dirty.
    pub mark: Option<RefoldMark>,
}

/// A trade that was edited or cancelled before it arrived.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PendingAmendmentRow {
    /// The set that the id of the trade belongs to.
    pub key: IdSetKey,
    /// The id of the trade.
    pub id: TradeId,
    /// The append time of the edit or cancel, in UTC nanoseconds.
    pub append_time_ns: i64,
}

/// The state that an aggregator needs to continue where the last one stopped. It reads bars of
/// closed windows and ids later, when a trade needs them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionState {
    /// How far the partition has been folded.
    pub progress: PartitionProgress,
    /// All symbols.
    pub symbols: Vec<SymbolRow>,
    /// All venues.
    pub venues: Vec<VenueRow>,
    /// All open bars.
    pub open_bars: Vec<StoredBar>,
    /// All marked minutes.
    pub dirty_minutes: Vec<DirtyMinuteRow>,
    /// All trades that were edited or cancelled before they arrived. Their rows expire like
    /// verdicts.
    pub pending_amendments: Vec<PendingAmendmentRow>,
    /// The key of the digests of ids, the same for all partitions. It was drawn at random when the
    /// store was created.
    pub id_digest_key: [u8; 32],
}

/// A change of a partition's state, which is written completely or not at all.
///
/// Each list has every key once. A store that is given a key twice keeps the last row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionTransaction {
    /// The stored position that the transaction starts from; it conflicts with any other.
    pub expected: Position,
    /// The new progress.
    pub progress: PartitionProgress,
    /// The bars to insert or replace.
    pub bars: Vec<StoredBar>,
    /// The symbols to insert or replace.
    pub symbols: Vec<SymbolRow>,
    /// The settings to insert or replace.
    pub venues: Vec<VenueRow>,
    /// The ids to add.
    pub id_sets: Vec<IdSetChange>,
    /// The ticks that are no trades, other than edits and cancels.
    pub excluded_ranges: Vec<ExcludedRange>,
    /// The edits and cancels that change no trade. They are kept longer than those of trades.
    pub excluded_amendments: Vec<ExcludedRange>,
    /// The minutes that were marked or folded again, each once.
    pub dirty_minutes: Vec<DirtyMinuteChange>,
    /// The trades that were edited or cancelled before they arrived; some may be stored already.
    pub pending_amendments: Vec<PendingAmendmentRow>,
}

impl PartitionTransaction {
    /// Returns a transaction that only moves the progress.
    #[must_use]
    pub const fn empty(expected: Position, progress: PartitionProgress) -> Self {
        Self {
            expected,
            progress,
            bars: Vec::new(),
            symbols: Vec::new(),
            venues: Vec::new(),
            id_sets: Vec::new(),
            excluded_ranges: Vec::new(),
            excluded_amendments: Vec::new(),
            dirty_minutes: Vec::new(),
            pending_amendments: Vec::new(),
        }
    }
}
