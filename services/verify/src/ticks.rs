//! The ticks of one instrument in slices, read ahead of their use.

use std::collections::VecDeque;

use market::{HOUR_NS, Instrument, Interval};
use store::{StoreError, Tick, TickStore};
use tokio::sync::mpsc;

/// About how many ticks are read at once: some 15 MB of them.
const SLICE_ROWS: u64 = 100_000;

/// The event times `[start, end)`, within one UTC day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slice {
    pub(super) start_ns: i64,
    pub(super) end_ns: i64,
    /// How many ticks it holds, about.
    pub(super) rows: u64,
}

/// The ticks of one instrument, slice by slice in order of event time. The slice after the one
/// that was asked for last is being read meanwhile.
pub(super) struct TickSlices {
    plan: VecDeque<Slice>,
    read: mpsc::Receiver<Result<Vec<Tick>, StoreError>>,
}

impl TickSlices {
    /// The ticks whose event times are in `[start, end)`.
    pub(super) async fn open<T: TickStore>(
        store: &T,
        instrument: &Instrument,
        (start_ns, end_ns): (i64, i64),
    ) -> Result<Self, StoreError> {
        let plan = plan(&store.hours_with_ticks(instrument, start_ns, end_ns).await?);
        let (sender, read) = mpsc::channel(1);
        let (store, instrument, slices) = (store.clone(), instrument.clone(), plan.clone());
        tokio::spawn(async move {
            for slice in slices {
                let ticks = store.read(&instrument, slice.start_ns, slice.end_ns).await;
                if sender.send(ticks).await.is_err() {
                    return;
                }
            }
        });
        Ok(Self { plan, read })
    }

    /// The day of the next slice, by its first nanosecond.
    pub(super) fn next_day(&self) -> Option<i64> {
        self.plan.front().map(|slice| day_of(slice.start_ns))
    }

    /// The next slice, where it is of that day, with its ticks in order of positions.
    pub(super) async fn next_of(
        &mut self,
        day_ns: i64,
    ) -> Result<Option<(Slice, Vec<Tick>)>, StoreError> {
        if self.next_day() != Some(day_ns) {
            return Ok(None);
        }
        let (Some(slice), Some(ticks)) = (self.plan.pop_front(), self.read.recv().await) else {
            return Ok(None);
        };
        Ok(Some((slice, ticks?)))
    }
}

/// Cuts long hours and joins short ones of the same day.
fn plan(hours: &[(i64, u64)]) -> VecDeque<Slice> {
    let mut slices: VecDeque<Slice> = VecDeque::new();
    for &(hour_ns, rows) in hours {
        let end_ns = hour_ns.saturating_add(HOUR_NS);
        if let Some(last) = slices.back_mut()
            && day_of(last.start_ns) == day_of(hour_ns)
            && last.rows + rows <= SLICE_ROWS
        {
            last.end_ns = end_ns;
            last.rows += rows;
            continue;
        }
        let pieces = rows.div_ceil(SLICE_ROWS).clamp(1, HOUR_NS.unsigned_abs());
        let step_ns = HOUR_NS.unsigned_abs().div_ceil(pieces);
        let step_ns = i64::try_from(step_ns).expect("no longer than an hour");
        let mut start_ns = hour_ns;
        while start_ns < end_ns {
            let piece_end_ns = start_ns.saturating_add(step_ns).min(end_ns);
            slices.push_back(Slice {
                start_ns,
                end_ns: piece_end_ns,
                rows: rows / pieces,
            });
            start_ns = piece_end_ns;
        }
    }
    slices
}

pub(super) const fn day_of(time_ns: i64) -> i64 {
    Interval::D1.window_containing(time_ns).start_ns
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use market::{DAY_NS, HOUR_NS};
    use proptest::prelude::*;

    use super::{day_of, plan};

    proptest! {
        #[test]
        fn slices_hold_every_hour_once_and_are_of_one_day(
            hours in prop::collection::btree_map(0_i64..100, 0_u64..2_000_000, 0..40),
        ) {
            let hours: BTreeMap<_, _> = hours.into_iter().map(|(hour, rows)| (hour * HOUR_NS, rows)).collect();
            let listed: Vec<_> = hours.clone().into_iter().collect();
            let slices = plan(&listed);
            for hour_ns in hours.keys() {
                for time_ns in [*hour_ns, hour_ns + HOUR_NS - 1] {
                    let holding = slices.iter().filter(|slice| (slice.start_ns..slice.end_ns).contains(&time_ns));
                    prop_assert_eq!(holding.count(), 1);
                }
            }
            for slice in &slices {
                prop_assert!(slice.start_ns < slice.end_ns);
                prop_assert_eq!(day_of(slice.start_ns), day_of(slice.end_ns - 1));
                prop_assert!(slice.rows <= super::SLICE_ROWS);
            }
            let pairs = slices.iter().zip(slices.iter().skip(1));
            prop_assert!(pairs.into_iter().all(|(left, right)| left.end_ns <= right.start_ns));
        }
    }

    #[test]
    fn a_long_hour_is_cut_and_short_ones_are_joined() {
        let slices = plan(&[
            (0, 100),
            (HOUR_NS, 100),
            (23 * HOUR_NS, 240_000),
            (DAY_NS, 1),
        ]);
        let ends: Vec<_> = slices.iter().map(|slice| slice.end_ns).collect();
        let long = 23 * HOUR_NS;
        let third = HOUR_NS / 3;
        assert_eq!(
            ends,
            [
                2 * HOUR_NS,
                long + third,
                long + 2 * third,
                DAY_NS,
                DAY_NS + HOUR_NS
            ]
        );
    }
}
