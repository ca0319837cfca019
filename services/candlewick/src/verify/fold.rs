//! The ticks of one day, folded as plainly as it can be said: trade by trade, every interval by
//! itself.

use market::{Bar, DAY_NS, Interval, Position, Window};
use store::Tick;

/// What the trades of one window add up to.
#[derive(Debug, Clone)]
pub(super) struct Refolded {
    pub(super) bar: Bar,
    /// The place of the newest of them in the log.
    pub(super) newest: Position,
}

/// The bars of one instrument and one UTC day.
#[derive(Debug)]
pub(super) struct DayFold {
    day_ns: i64,
    /// By interval, then by place within the day.
    windows: [Vec<Option<Refolded>>; Interval::ALL.len()],
}

impl DayFold {
    pub(super) fn new() -> Self {
        Self {
            day_ns: 0,
            windows: Interval::ALL.map(|interval| {
                let windows = DAY_NS / interval.length_ns();
                (0..windows).map(|_| None).collect()
            }),
        }
    }

    /// Turns to a day; those before were taken whole.
    pub(super) const fn begin(&mut self, day_ns: i64) {
        self.day_ns = day_ns;
    }

    /// Adds a trade of the day.
    pub(super) fn add(&mut self, tick: &Tick) {
        let one = Bar::of(&tick.trade, tick.position, tick.append_time_ns);
        for (interval, windows) in Interval::ALL.into_iter().zip(&mut self.windows) {
            let place = (tick.trade.time_ns - self.day_ns) / interval.length_ns();
            let place = usize::try_from(place).expect("the trade is of the day");
            match &mut windows[place] {
                Some(refolded) => {
                    refolded.bar.merge(&one);
                    refolded.newest = refolded.newest.max(tick.position);
                }
                none => {
                    *none = Some(Refolded {
                        bar: one.clone(),
                        newest: tick.position,
                    });
                }
            }
        }
    }

    /// Takes what the trades of an interval's windows add up to, ascending.
    pub(super) fn take(
        &mut self,
        interval: Interval,
    ) -> impl Iterator<Item = (Window, Refolded)> + use<'_> {
        let day_ns = self.day_ns;
        let windows = self.windows[interval.index()].iter_mut();
        windows.zip(0..).filter_map(move |(slot, place)| {
            let refolded = slot.take()?;
            let start_ns = day_ns + place * interval.length_ns();
            Some((Window { interval, start_ns }, refolded))
        })
    }
}
