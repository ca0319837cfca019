//! What the core needs loaded, and the loaded data.

use market::{Bar, BarRow, Instrument, Position, Window};
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

impl LoadRequest {
    /// Requests the bar of a window.
    pub(crate) fn for_bar(instrument: &Instrument, window: Window) -> Self {
        Self::Bar(BarKey {
            instrument: instrument.clone(),
            window,
        })
    }
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
pub enum RefoldedTicks {
    /// The bar of its trades, edited and cancelled, or `None` if no trade is left.
    Bar(Option<Box<Bar>>),
    /// The ticks have expired.
    Expired,
}

/// The loaded data of a [`LoadRequest`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadedData {
    /// The bar, if one is stored.
    Bar(BarKey, Option<Box<BarRow>>),
    /// The set of ids; empty if none is stored.
    IdSet(IdSetRequest, IdSetRow),
    /// The sum of the minute's ticks.
    Ticks(TicksRequest, RefoldedTicks),
}

impl LoadedData {
    /// Returns the instrument that the data belongs to.
    pub(crate) const fn instrument(&self) -> &Instrument {
        match self {
            Self::Bar(key, _) => &key.instrument,
            Self::IdSet(request, _) => &request.key.instrument,
            Self::Ticks(request, _) => &request.instrument,
        }
    }
}
