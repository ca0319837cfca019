//! Edits and cancels: what a venue says of a trade after it.

use crate::{Position, TradeId};

/// What an amendment does to its trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AmendmentKind {
    /// Price, quantity and side become those given.
    Edit,
    /// The trade never was. No edit brings it back, whichever comes first.
    Cancel,
}

impl AmendmentKind {
    /// Its name in stores, JSON and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Edit => "edit",
            Self::Cancel => "cancel",
        }
    }
}

/// What makes a record an edit or a cancel, beside the trade that it carries.
///
/// That trade names the one that is amended, by what it is known by: id, scope, sender and event
/// time are the original's. Of an edit, price, quantity and side are the new ones; of a cancel
/// they mean nothing. A trade that is known by its place in the log alone is named by
/// [`place`](Self::place) and its event time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Amendment {
    /// Its own id: of several deliveries of one amendment the first counts. It is unique among
    /// the amendments of an instrument and event-time hour.
    pub id: TradeId,
    /// What it does.
    pub kind: AmendmentKind,
    /// Where the log holds the trade, where nothing else tells it from others.
    pub place: Option<Position>,
}
