//! Where a record lies in the log of a partition.

use std::fmt;

/// The position of a record in the log of one partition. A position with a greater epoch is later;
/// within an epoch, one with a greater offset is later.
///
/// It is displayed as `epoch/offset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Position {
    /// The generation of the topic.
    pub epoch: u64,
    /// The offset in the partition.
    pub offset: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.epoch, self.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_ordered_by_epoch_then_offset_and_displayed_with_a_slash() {
        let earlier = Position {
            epoch: 1,
            offset: 9,
        };
        let later = Position {
            epoch: 2,
            offset: 0,
        };
        assert!(earlier < later);
        assert_eq!(earlier.to_string(), "1/9");
    }
}
