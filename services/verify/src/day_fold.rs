//! Refolds the ticks of one day in the simplest way: trade by trade, every interval separately.

use market::{Bar, DAY_NS, Interval, Position, TieOrder, Window};
use store::Tick;

/// The bar of one window, folded from its ticks.
#[derive(Debug, Clone)]
pub(crate) struct RefoldedBar {
    pub(crate) bar: Bar,
    /// The position of its newest trade.
    pub(crate) newest: Position,
    /// The number of its trades, including those that were cancelled later.
    pub(crate) trades: u64,
    /// The number of edits and cancels.
    pub(crate) amendments: u64,
}

/// The bars of one instrument and one UTC day.
#[derive(Debug)]
pub(crate) struct DayFold {
    /// The order of trades of equal event time.
    ties: TieOrder,
    day_ns: i64,
    /// By interval, then by the window's index within the day.
    windows: [Vec<Option<RefoldedBar>>; Interval::ALL.len()],
}

impl DayFold {
    /// Creates a fold without ticks.
    pub(crate) fn new() -> Self {
        Self {
            ties: TieOrder::Id,
            day_ns: 0,
            windows: Interval::ALL.map(|interval| {
                let windows = DAY_NS / interval.length_ns();
                (0..windows).map(|_| None).collect()
            }),
        }
    }

    /// Sets the day of the ticks that follow, and the order `ties` of trades of equal event time.
    /// Removes no bars: those of the day before must have been taken.
    pub(crate) const fn set_day(&mut self, day_ns: i64, ties: TieOrder) {
        self.day_ns = day_ns;
        self.ties = ties;
    }

    /// Adds a trade of the day, with its edits applied. A cancelled trade counts as admitted, and
    /// its append time counts.
    pub(crate) fn add_trade(&mut self, tick: &Tick, is_cancelled: bool) {
        let trade_bar = Bar::from_trade(&tick.trade, tick.position, tick.append_time_ns);
        let ties = self.ties;
        for refolded in self.bars_of_tick(tick) {
            if is_cancelled {
                let first_append_ns = refolded.bar.first_append_ns;
                refolded.bar.first_append_ns = first_append_ns.min(tick.append_time_ns);
                refolded.bar.admitted += 1;
            } else {
                refolded.bar.merge(&trade_bar, ties);
            }
            refolded.newest = refolded.newest.max(tick.position);
            refolded.trades += 1;
        }
    }

    /// Counts an edit or a cancel of the day.
    pub(crate) fn count_amendment(&mut self, tick: &Tick) {
        for refolded in self.bars_of_tick(tick) {
            refolded.amendments += 1;
        }
    }

    /// Returns the bar of each interval that holds a tick.
    fn bars_of_tick(&mut self, tick: &Tick) -> impl Iterator<Item = &mut RefoldedBar> {
        let (time_ns, day_ns) = (tick.trade.time_ns, self.day_ns);
        let intervals = Interval::ALL.into_iter().zip(&mut self.windows);
        intervals.map(move |(interval, windows)| {
            let index = (time_ns - day_ns) / interval.length_ns();
            let index = usize::try_from(index).expect("the tick is of the day");
            windows[index].get_or_insert_with(|| RefoldedBar {
                bar: Bar::empty(interval.window_containing(time_ns).start_ns, 0, i64::MAX),
                newest: Position::default(),
                trades: 0,
                amendments: 0,
            })
        })
    }

    /// Removes and returns the bars of an interval that have trades, ascending by start.
    pub(crate) fn take_bars(
        &mut self,
        interval: Interval,
    ) -> impl Iterator<Item = (Window, RefoldedBar)> + use<'_> {
        let day_ns = self.day_ns;
        let windows = self.windows[interval.index()].iter_mut();
        windows.zip(0..).filter_map(move |(slot, index)| {
            let refolded = slot.take().filter(|refolded| refolded.trades > 0)?;
            let start_ns = day_ns + index * interval.length_ns();
            Some((Window { interval, start_ns }, refolded))
        })
    }
}
