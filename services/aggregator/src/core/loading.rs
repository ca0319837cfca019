//! What the core needs loaded, and the loaded data.

use market::{BarRow, Instrument, Window};
use store::{BarKey, IdSetKey, IdSetRow};

/// Data that has to be loaded before the next record, or a trade soon after it, can be applied.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LoadRequest {
    /// The bar of a closed window.
    Bar(BarKey),
    /// A set of ids.
    IdSet(IdSetRequest),
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

/// The loaded data of a [`LoadRequest`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadedData {
    /// The bar, if one is stored.
    Bar(BarKey, Option<Box<BarRow>>),
    /// The set of ids; empty if none is stored.
    IdSet(IdSetRequest, IdSetRow),
}

impl LoadedData {
    /// Returns the instrument that the data belongs to.
    pub(crate) const fn instrument(&self) -> &Instrument {
        match self {
            Self::Bar(key, _) => &key.instrument,
            Self::IdSet(request, _) => &request.key.instrument,
        }
    }
}
