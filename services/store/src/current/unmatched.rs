//! Duplicates without a first delivery.

use market::Position;

/// A tick that the fold has excluded as a duplicate, although no tick with the same identity
/// counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnmatchedDuplicate {
    /// Where the log holds it.
    pub position: Position,
    /// When it happened, in UTC nanoseconds.
    pub time_ns: i64,
}
