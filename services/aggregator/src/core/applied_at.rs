//! When and where the record that is being applied was appended.

use market::Position;

/// The position and time of the record that is being applied, and the number of the commit that
/// its effects belong to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AppliedAt {
    position: Position,
    append_time_ns: i64,
    commit_number: u64,
}

impl AppliedAt {
    #[inline]
    pub(crate) const fn new(position: Position, append_time_ns: i64, commit_number: u64) -> Self {
        Self {
            position,
            append_time_ns,
            commit_number,
        }
    }

    /// Returns the position of the record.
    #[inline]
    pub(crate) const fn position(self) -> Position {
        self.position
    }

    /// Returns the position after the record.
    pub(crate) const fn next_position(self) -> Position {
        Position {
            epoch: self.position.epoch,
            offset: self.position.offset + 1,
        }
    }

    /// Returns the greatest append time of the records up to and including this one, in UTC
    /// nanoseconds.
    #[inline]
    pub(crate) const fn greatest_append_time_ns(self) -> i64 {
        self.append_time_ns
    }

    /// Returns the number of the commit that comes next.
    #[inline]
    pub(crate) const fn commit_number(self) -> u64 {
        self.commit_number
    }
}
