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
    /// How many trades were admitted, those that were cancelled later among them.
    pub(super) admitted: u64,
    /// How many edits and cancels there are.
    pub(super) amendments: u64,
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

    /// Adds a trade of the day, as it was edited; one that was cancelled leaves only when it was
    /// appended.
    pub(super) fn add(&mut self, tick: &Tick, cancelled: bool) {
        let one = Bar::from_trade(&tick.trade, tick.position, tick.append_time_ns);
        for refolded in self.windows_of(tick) {
            if cancelled {
                let first_append_ns = refolded.bar.first_append_ns;
                refolded.bar.first_append_ns = first_append_ns.min(tick.append_time_ns);
            } else {
                refolded.bar.merge(&one);
            }
            refolded.newest = refolded.newest.max(tick.position);
            refolded.admitted += 1;
        }
    }

    /// Notes an edit or a cancel of the day.
    pub(super) fn amend(&mut self, tick: &Tick) {
        for refolded in self.windows_of(tick) {
            refolded.amendments += 1;
        }
    }

    /// The windows of a tick, one an interval.
    fn windows_of(&mut self, tick: &Tick) -> impl Iterator<Item = &mut Refolded> {
        let (time_ns, day_ns) = (tick.trade.time_ns, self.day_ns);
        let intervals = Interval::ALL.into_iter().zip(&mut self.windows);
        intervals.map(move |(interval, windows)| {
            let place = (time_ns - day_ns) / interval.length_ns();
            let place = usize::try_from(place).expect("the tick is of the day");
            windows[place].get_or_insert_with(|| Refolded {
                bar: Bar::empty(interval.window_containing(time_ns).start_ns, i64::MAX),
                newest: Position::default(),
                admitted: 0,
                amendments: 0,
            })
        })
    }

    /// Takes what the trades of an interval's windows add up to, ascending.
    pub(super) fn take(
        &mut self,
        interval: Interval,
    ) -> impl Iterator<Item = (Window, Refolded)> + use<'_> {
        let day_ns = self.day_ns;
        let windows = self.windows[interval.index()].iter_mut();
        windows.zip(0..).filter_map(move |(slot, place)| {
            let refolded = slot.take().filter(|refolded| refolded.admitted > 0)?;
            let start_ns = day_ns + place * interval.length_ns();
            Some((Window { interval, start_ns }, refolded))
        })
    }
}
