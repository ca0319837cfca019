//! What the core needs loaded, and the loaded data.

use market::{BarRow, Instrument, Window};
use store::{BarKey, IdSegmentKey, IdSetKey, SegmentIds, StoredIdSegment, StoredIdSet};

/// Data that has to be loaded before the next record, or a trade soon after it, can be applied.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LoadRequest {
    /// The bar of a closed window.
    Bar(BarKey),
    /// A set of ids. The ids of its segments are not loaded with it.
    IdSet(IdSetRequest),
    /// The ids of a segment.
    IdSegment(IdSegmentRequest),
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

/// Names a segment of ids to load.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdSegmentRequest {
    /// The segment.
    pub key: IdSegmentKey,
    /// About how many bytes the store holds of it.
    pub stored_bytes: u64,
}

/// The loaded data of a [`LoadRequest`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadedData {
    /// The bar, if one is stored.
    Bar(BarKey, Option<Box<BarRow>>),
    /// The set of ids; empty if none is stored.
    IdSet(IdSetRequest, StoredIdSet),
    /// The ids of the segment; none if it is not stored.
    IdSegment(IdSegmentKey, StoredIdSegment),
}

impl LoadedData {
    /// Returns about how much memory the ids of a segment will use, in bytes.
    pub(crate) const fn estimated_segment_memory_bytes(&self) -> usize {
        match self {
            Self::IdSegment(_, row) => match &row.ids {
                SegmentIds::Numbers(ids) => ids.len() * 2,
                SegmentIds::Digests(ids) => ids.len() * 16,
            },
            Self::Bar(..) | Self::IdSet(..) => 0,
        }
    }

    /// Returns the instrument that the data belongs to.
    pub(crate) const fn instrument(&self) -> &Instrument {
        match self {
            Self::Bar(key, _) => &key.instrument,
            Self::IdSet(request, _) => &request.key.instrument,
            Self::IdSegment(key, _) => &key.set.instrument,
        }
    }
}
