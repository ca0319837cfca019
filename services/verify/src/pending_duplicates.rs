//! Duplicates whose first deliveries are not near them.

use store::Tick;

/// How many duplicates are looked up at once, unless there are no more. They take about 30 MB, and
/// the look-up twice as much.
const LOOKUP_TICKS: usize = 200_000;

/// Duplicates of one symbol whose first deliveries are not in the same slice, such as those of ids
/// that begin again every day, or of an old tape whose ticks have expired.
///
/// Looking one of them up takes the store as long as looking many up, because it goes through all
/// ticks of the symbol. So they are gathered over the slices.
#[derive(Debug, Default)]
pub(crate) struct PendingDuplicates {
    ticks: Vec<Tick>,
}

impl PendingDuplicates {
    /// Adds duplicates. Returns those to look up now; none as long as they are few.
    pub(crate) fn add(&mut self, mut ticks: Vec<Tick>) -> Vec<Tick> {
        self.ticks.append(&mut ticks);
        match self.ticks.len() >= LOOKUP_TICKS {
            true => self.take_rest(),
            false => Vec::new(),
        }
    }

    /// Removes and returns those that were not looked up yet.
    pub(crate) fn take_rest(&mut self) -> Vec<Tick> {
        std::mem::take(&mut self.ticks)
    }
}

#[cfg(test)]
mod tests {
    use market::{Position, Trade};

    use super::*;

    #[test]
    fn duplicates_of_many_slices_are_looked_up_at_once() {
        let tick = |offset| Tick {
            trade: Trade {
                time_ns: 1,
                price: "1".parse().unwrap(),
                quantity: None,
                side: None,
                id: None,
                scope: None,
                sender: None,
            },
            amendment: None,
            position: Position { epoch: 1, offset },
            append_time_ns: 1,
        };
        let mut pending = PendingDuplicates::default();
        let slice: Vec<_> = (0..1_000).map(tick).collect();
        let slices = 250;
        let mut look_ups = Vec::new();
        for _ in 0..slices {
            let now = pending.add(slice.clone());
            look_ups.extend((!now.is_empty()).then_some(now.len()));
        }
        look_ups.push(pending.take_rest().len());
        assert_eq!(look_ups, [LOOKUP_TICKS, 50_000]);
        assert_eq!(pending.take_rest(), []);
    }
}
