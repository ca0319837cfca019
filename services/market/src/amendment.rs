//! Edits and cancels: records that change a trade after it was published.

use crate::{Position, TradeId};

/// What an amendment does to its trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AmendmentKind {
    /// Replaces the price, quantity and side of the trade.
    Edit,
    /// Removes the trade. No edit brings it back, whichever arrives first.
    Cancel,
}

impl AmendmentKind {
    /// Returns its name in stores, JSON and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Edit => "edit",
            Self::Cancel => "cancel",
        }
    }
}

/// The part of a record that makes it an edit or a cancel. The record also carries a trade.
///
/// The carried trade identifies the trade to change: it has the original's id, scope, sender and
/// event time. In an edit, its price, quantity and side are the new values; in a cancel they have
/// no meaning. A trade that only its position in the log identifies is named by
/// [`target_position`](Self::target_position) and its event time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Amendment {
    /// The id of the amendment itself, unique among the amendments of an instrument and event-time
    /// hour. If one amendment is delivered several times, the first delivery counts.
    pub id: TradeId,
    /// Whether it is an edit or a cancel.
    pub kind: AmendmentKind,
    /// The position of the trade in the log, if nothing else identifies the trade.
    pub target_position: Option<Position>,
}
