//! Reads the ticks of one instrument in slices, ahead of their use.

use std::collections::VecDeque;

use market::{HOUR_NS, Instrument, Interval};
use store::{StoreError, Tick, TickStore};
use tokio::sync::mpsc;

/// The approximate number of ticks that are read at once, about 15 MB of them.
const SLICE_ROWS: u64 = 100_000;

/// The event times `[start_ns, end_ns)`, within one UTC day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TickSliceRange {
    pub(crate) start_ns: i64,
    pub(crate) end_ns: i64,
    /// The approximate number of its ticks.
    pub(crate) rows: u64,
}

/// The ticks of one instrument, slice by slice in order of event time. While the caller works on
/// one slice, a task reads the next one.
pub(crate) struct TickSliceReader {
    slices: VecDeque<TickSliceRange>,
    /// The ticks of `slices`, in the same order.
    ticks: mpsc::Receiver<Result<Vec<Tick>, StoreError>>,
}

impl TickSliceReader {
    /// Starts to read the ticks whose event times are in `[start_ns, end_ns)`.
    pub(crate) async fn open<T: TickStore>(
        store: &T,
        instrument: &Instrument,
        (start_ns, end_ns): (i64, i64),
    ) -> Result<Self, StoreError> {
        let slices = plan_slices(
            &store
                .hours_with_tick_count_upper_bounds(instrument, start_ns, end_ns)
                .await?,
        );
        let (sender, ticks) = mpsc::channel(1);
        let (store, instrument, planned) = (store.clone(), instrument.clone(), slices.clone());
        tokio::spawn(async move {
            for slice in planned {
                let ticks = store.read(&instrument, slice.start_ns, slice.end_ns).await;
                if sender.send(ticks).await.is_err() {
                    return;
                }
            }
        });
        Ok(Self { slices, ticks })
    }

    /// Returns the start of the day of the next slice.
    pub(crate) fn peek_day_start(&self) -> Option<i64> {
        self.slices
            .front()
            .map(|slice| day_start_ns(slice.start_ns))
    }

    /// Returns the next slice and its ticks in order of positions, if it is of the day that starts
    /// at `day_ns`.
    pub(crate) async fn next_slice_of_day(
        &mut self,
        day_ns: i64,
    ) -> Result<Option<(TickSliceRange, Vec<Tick>)>, StoreError> {
        if self.peek_day_start() != Some(day_ns) {
            return Ok(None);
        }
        let (Some(slice), Some(ticks)) = (self.slices.pop_front(), self.ticks.recv().await) else {
            return Ok(None);
        };
        Ok(Some((slice, ticks?)))
    }
}

/// Divides hours, each with its number of ticks, into slices: splits long ones, and joins short
/// ones of the same day.
fn plan_slices(hours: &[(i64, u64)]) -> VecDeque<TickSliceRange> {
    let mut slices: VecDeque<TickSliceRange> = VecDeque::new();
    for &(hour_ns, rows) in hours {
        let end_ns = hour_ns.saturating_add(HOUR_NS);
        if let Some(last) = slices.back_mut()
            && day_start_ns(last.start_ns) == day_start_ns(hour_ns)
            && last.rows + rows <= SLICE_ROWS
        {
            last.end_ns = end_ns;
            last.rows += rows;
            continue;
        }
        let piece_count = rows.div_ceil(SLICE_ROWS).clamp(1, HOUR_NS.unsigned_abs());
        let step_ns = HOUR_NS.unsigned_abs().div_ceil(piece_count);
        let step_ns = i64::try_from(step_ns).expect("no longer than an hour");
        let mut start_ns = hour_ns;
        while start_ns < end_ns {
            let piece_end_ns = start_ns.saturating_add(step_ns).min(end_ns);
            slices.push_back(TickSliceRange {
                start_ns,
                end_ns: piece_end_ns,
                rows: rows / piece_count,
            });
            start_ns = piece_end_ns;
        }
    }
    slices
}

/// Returns the start of the UTC day that holds `time_ns`.
pub(crate) const fn day_start_ns(time_ns: i64) -> i64 {
    Interval::D1.window_containing(time_ns).start_ns
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use market::{DAY_NS, HOUR_NS};
    use proptest::prelude::*;

    use super::{day_start_ns, plan_slices};

    proptest! {
        #[test]
        fn slices_hold_every_hour_once_and_are_of_one_day(
            hours in prop::collection::btree_map(0_i64..100, 0_u64..2_000_000, 0..40),
        ) {
            let hours: BTreeMap<_, _> = hours.into_iter().map(|(hour, rows)| (hour * HOUR_NS, rows)).collect();
            let listed: Vec<_> = hours.clone().into_iter().collect();
            let slices = plan_slices(&listed);
            for hour_ns in hours.keys() {
                for time_ns in [*hour_ns, hour_ns + HOUR_NS - 1] {
                    let holding = slices.iter().filter(|slice| (slice.start_ns..slice.end_ns).contains(&time_ns));
                    prop_assert_eq!(holding.count(), 1);
                }
            }
            for slice in &slices {
                prop_assert!(slice.start_ns < slice.end_ns);
                prop_assert_eq!(day_start_ns(slice.start_ns), day_start_ns(slice.end_ns - 1));
                prop_assert!(slice.rows <= super::SLICE_ROWS);
            }
            let pairs = slices.iter().zip(slices.iter().skip(1));
            prop_assert!(pairs.into_iter().all(|(left, right)| left.end_ns <= right.start_ns));
        }
    }

    #[test]
    fn a_long_hour_is_split_and_short_ones_are_joined() {
        let slices = plan_slices(&[
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
