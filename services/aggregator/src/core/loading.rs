//! What the core needs loaded, and the loaded data.

use market::{Bar, BarRow, Instrument, Position};
use store::{BarKey, IdSetKey, IdSetRow};

/// Data that has to be loaded before the next record, or a trade soon after it, can be applied.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LoadRequest {
    /// The bar of a closed window.
    Bar(BarKey),
    /// A set of ids.
    IdSet(IdSetRequest),
    /// The sum of a minute's ticks.
    ///
    /// It is requested before the next record has any effect, so that everything applied before can
    /// be committed. It has to be committed, because the ticks that are no trades are read from the
    /// store.
    Ticks(TicksRequest),
}

/// Names a set of ids to load.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdSetRequest {
    /// The set.
    pub key: IdSetKey,
    /// Whether its ids are kept as ranges.
    pub ranged: bool,
}

/// Names a minute whose ticks are to be folded.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TicksRequest {
    /// The instrument.
    pub instrument: Instrument,
    /// The minute's first nanosecond.
    pub start_ns: i64,
    /// The position that the ticks have to be before.
    pub up_to: Position,
    /// When the first trade of the minute's hour was appended, in UTC nanoseconds, if there was
    /// one. Ticks expire a fixed time after it.
    pub first_append_ns: Option<i64>,
}

/// The sum of a minute's ticks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refolded {
    /// The bar of its trades, edited and cancelled; `None` if no trade is left.
    Bar(Option<Box<Bar>>),
    /// The ticks have expired.
    Expired,
}

/// The loaded data of a [`LoadRequest`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loaded {
    /// The bar, if one is stored.
    Bar(BarKey, Option<Box<BarRow>>),
    /// The set of ids; empty if none is stored.
    IdSet(IdSetRequest, IdSetRow),
    /// The sum of the minute's ticks.
    Ticks(TicksRequest, Refolded),
}

impl Loaded {
    /// Returns the instrument that the data belongs to.
    pub(crate) const fn instrument(&self) -> &Instrument {
        match self {
            Self::Bar(key, _) => &key.instrument,
            Self::IdSet(request, _) => &request.key.instrument,
            Self::Ticks(request, _) => &request.instrument,
        }
    }
}

/// The load requests of the record that comes next.
#[derive(Debug, Default)]
pub(crate) struct PendingLoads {
    requests: Vec<LoadRequest>,
    /// Whether the next record waits before it has had any effect.
    is_before_record: bool,
}

impl PendingLoads {
    pub(crate) fn requests(&self) -> &[LoadRequest] {
        &self.requests
    }

    /// Returns whether every effect so far belongs to a record that is applied.
    pub(crate) const fn is_between_records(&self) -> bool {
        self.requests.is_empty() || self.is_before_record
    }

    /// Requests data for a record that has begun to take effect: time has passed up to it.
    pub(crate) fn block_record(&mut self, requests: Vec<LoadRequest>) {
        self.requests = requests;
    }

    /// Requests data before the next record has any effect. Returns whether any is missing.
    pub(crate) fn block_before_record(&mut self, requests: Vec<LoadRequest>) -> bool {
        self.is_before_record = !requests.is_empty();
        self.requests = requests;
        self.is_before_record
    }

    /// Returns the requests, for more to be added that later records will need; `None` if the
    /// state is to be committed first.
    pub(crate) fn prefetch(&mut self) -> Option<&mut Vec<LoadRequest>> {
        (!self.is_before_record).then_some(&mut self.requests)
    }

    /// Drops the requests, which were answered.
    pub(crate) fn clear(&mut self) {
        self.requests.clear();
        self.is_before_record = false;
    }
}
