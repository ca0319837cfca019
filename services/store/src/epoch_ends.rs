//! Where earlier generations of `trades` ended.

use market::Position;

use crate::state::{ExcludedRange, TickVerdict};

/// Where the earlier epochs of a partition of `trades` ended: for each, the position of the first
/// record that was not folded when a later epoch began, and never will be.
///
/// Ticks of an epoch at or beyond its end are no trades, and a state of a bar whose `through` lies
/// there was announced but never stored: it does not count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EpochEnds {
    /// In ascending order of their epochs, each of which is there once.
    ends: Vec<Position>,
}

impl EpochEnds {
    /// Returns the ends of different epochs, which may be in any order.
    #[must_use]
    pub fn new(mut ends: Vec<Position>) -> Self {
        ends.sort_unstable();
        Self { ends }
    }

    /// Returns the ends in ascending order of their epochs.
    pub fn iter(&self) -> impl Iterator<Item = Position> {
        self.ends.iter().copied()
    }

    /// Returns whether a position is at or beyond the end of its epoch. An epoch that goes on has
    /// no end.
    #[must_use]
    pub fn is_at_or_beyond_end(&self, position: Position) -> bool {
        let found = self
            .ends
            .binary_search_by_key(&position.epoch, |end| end.epoch);
        found.is_ok_and(|place| self.ends[place] <= position)
    }

    /// Returns the ticks at or beyond each end, as excluded ranges that never expire.
    pub fn excluded_ranges(&self) -> impl Iterator<Item = ExcludedRange> {
        self.iter().map(|end| ExcludedRange {
            epoch: end.epoch,
            first_offset: end.offset,
            end_offset: u64::MAX,
            verdict: TickVerdict::BeyondEpochEnd,
            append_time_ns: i64::MAX,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(epoch: u64, offset: u64) -> Position {
        Position { epoch, offset }
    }

    #[test]
    fn a_position_is_beyond_the_end_of_its_own_epoch_only() {
        let ends = EpochEnds::new(vec![at(3, 5), at(1, 7)]);
        for beyond in [at(1, 7), at(1, 8), at(3, 5), at(3, u64::MAX)] {
            assert!(ends.is_at_or_beyond_end(beyond), "{beyond}");
        }
        for within in [at(0, 9), at(1, 6), at(2, 100), at(3, 4), at(4, 100)] {
            assert!(!ends.is_at_or_beyond_end(within), "{within}");
        }
        assert!(!EpochEnds::default().is_at_or_beyond_end(at(0, 0)));
    }
}
