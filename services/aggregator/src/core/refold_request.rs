//! Which minutes are to be refolded.

use market::{Instrument, Position};

/// Names a dirty minute whose ticks are to be folded, and the fold appended to the log as a
/// [`RefoldResult`](schemas::RefoldResult).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefoldRequest {
    /// The instrument.
    pub instrument: Instrument,
    /// The minute's first nanosecond.
    pub start_ns: i64,
    /// The position that the ticks have to be before.
    pub up_to: Position,
}
