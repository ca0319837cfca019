//! Offsets that follow one another.

use market::Position;

/// Offsets of one epoch that follow one another, the last included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffsetRun {
    /// The epoch.
    pub epoch: u64,
    /// The first offset.
    pub first: u64,
    /// The last offset, at least the first.
    pub last: u64,
}

impl OffsetRun {
    /// Returns the runs that positions form, which must be in ascending order. A position may be
    /// repeated.
    pub(crate) fn of_positions(positions: impl IntoIterator<Item = Position>) -> Vec<Self> {
        let mut runs: Vec<Self> = Vec::new();
        for Position { epoch, offset } in positions {
            match runs.last_mut() {
                Some(run) if run.epoch == epoch && offset.saturating_sub(run.last) <= 1 => {
                    run.last = offset;
                }
                _ => runs.push(Self {
                    epoch,
                    first: offset,
                    last: offset,
                }),
            }
        }
        runs
    }

    /// Returns whether the run has offsets in `[first_offset, end_offset)` of an epoch.
    pub(crate) const fn overlaps(&self, epoch: u64, first_offset: u64, end_offset: u64) -> bool {
        self.epoch == epoch && self.first < end_offset && first_offset <= self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_ends_where_an_offset_is_missing_or_the_epoch_changes() {
        let at = |epoch, offset| Position { epoch, offset };
        let positions = [at(1, 3), at(1, 4), at(1, 4), at(1, 6), at(2, 7), at(2, 8)];
        let runs = OffsetRun::of_positions(positions);
        let run = |epoch, first, last| OffsetRun { epoch, first, last };
        assert_eq!(runs, [run(1, 3, 4), run(1, 6, 6), run(2, 7, 8)]);
        assert!(runs[0].overlaps(1, 4, 5) && runs[0].overlaps(1, 0, 4));
        assert!(!runs[0].overlaps(1, 5, 9) && !runs[0].overlaps(1, 0, 3));
        assert!(!runs[0].overlaps(2, 0, 9));
        assert_eq!(OffsetRun::of_positions([]), []);
    }
}
