//! Stored bars beside refolded ones.

use std::collections::HashSet;

use market::{
    BAR_RETENTION_NS, Bar, BarRow, EdgeTrade, HORIZON_NS, Interval, Position, TICK_RETENTION_NS,
    Window, format_time,
};
use store::SymbolRow;

use super::arguments::Range;
use super::fold::{DayFold, Refolded};
use super::report::{Difference, Place, Report};
use super::stored::DayBars;

/// What is too old to be there for sure, at a moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ages {
    now_ns: i64,
}

impl Ages {
    pub(super) const fn at(now_ns: i64) -> Self {
        Self { now_ns }
    }

    /// Whether ticks that were appended then may be gone.
    pub(super) const fn ticks_gone(self, append_ns: i64) -> bool {
        append_ns < self.now_ns.saturating_sub(TICK_RETENTION_NS)
    }

    /// Whether verdicts on ticks that were appended then may be gone: they go before the ticks.
    pub(super) const fn verdicts_gone(self, append_ns: i64) -> bool {
        append_ns < self.now_ns.saturating_sub(HORIZON_NS)
    }

    const fn bars_gone(self, append_ns: i64) -> bool {
        append_ns < self.now_ns.saturating_sub(BAR_RETENTION_NS)
    }

    /// Whether bars that differ prove nothing: trades are missing that may be gone, or there
    /// are trades that may have been left out.
    fn excuse(self, stored: &Bar, refolded: &Bar) -> bool {
        let unsure = self.verdicts_gone(refolded.first_append_ns);
        let fewer = refolded.trades < stored.trades;
        (self.ticks_gone(stored.first_append_ns) && (fewer || unsure))
            || (unsure && refolded.trades > stored.trades)
    }
}

/// The comparing of one symbol's bars of one day.
pub(super) struct DayCheck<'a> {
    pub(super) symbol: &'a SymbolRow,
    /// The first position of its partition that is not folded.
    pub(super) next: Position,
    pub(super) range: Range,
    pub(super) ages: Ages,
    /// The starts of minutes that are marked to be folded anew, ascending.
    pub(super) dirty: &'a [i64],
    pub(super) report: &'a mut Report,
}

impl DayCheck<'_> {
    /// Compares every bar of every interval.
    pub(super) fn compare(mut self, stored: &DayBars, fold: &mut DayFold) {
        let mut shorter: (&[BarRow], HashSet<i64>) = (&[], HashSet::new());
        for (interval, rows) in Interval::ALL.into_iter().zip(stored) {
            let mut wrong = self.interval(rows, fold.take(interval));
            let right = |row: &&BarRow| !wrong.contains(&row.window.start_ns);
            let longer: Vec<_> = match interval {
                Interval::M1 => Vec::new(),
                _ => rows.iter().filter(right).collect(),
            };
            for row in longer {
                let before = self.report.differing;
                self.compare_with_shorter(row, &shorter);
                if self.report.differing > before {
                    wrong.insert(row.window.start_ns);
                }
            }
            shorter = (rows, wrong);
        }
    }

    /// Compares the bars of one interval, and answers the starts of those that are wrong.
    fn interval(
        &mut self,
        stored: &[BarRow],
        refolded: impl Iterator<Item = (Window, Refolded)>,
    ) -> HashSet<i64> {
        let mut refolded = refolded.peekable();
        let mut wrong = HashSet::new();
        for row in stored {
            let start_ns = row.window.start_ns;
            while let Some((window, other)) =
                refolded.next_if(|(window, _)| window.start_ns < start_ns)
            {
                self.missing(window, &other);
            }
            let other = refolded.next_if(|(window, _)| window.start_ns == start_ns);
            if !self.bar(row, other.map(|(_, other)| other).as_ref()) {
                wrong.insert(start_ns);
            }
        }
        for (window, other) in refolded {
            self.missing(window, &other);
        }
        wrong
    }

    /// Whether a window holds a minute that is marked: it need not be what its trades say yet.
    fn is_dirty(&self, window: Window) -> bool {
        let from = self
            .dirty
            .partition_point(|start_ns| *start_ns < window.start_ns);
        let first = self.dirty.get(from);
        first.is_some_and(|start_ns| *start_ns < window.end_ns())
    }

    /// There are trades and no bar.
    fn missing(&mut self, window: Window, refolded: &Refolded) {
        if !self.range.holds(window) || self.is_dirty(window) {
            return;
        }
        if self.ages.verdicts_gone(refolded.bar.first_append_ns) {
            self.report.not_provable += 1;
            return;
        }
        let trades = format!("refolded {} trades", refolded.bar.trades);
        self.differ(window, "bar", "none".to_owned(), trades);
    }

    /// Compares a bar; false where it is wrong.
    fn bar(&mut self, row: &BarRow, refolded: Option<&Refolded>) -> bool {
        if !self.range.holds(row.window) {
            return true;
        }
        if self.is_dirty(row.window) {
            self.report.dirty += 1;
            return false;
        }
        self.report.compared[row.window.interval.index()] += 1;
        let before = self.report.differing;
        match refolded {
            None if self.ages.ticks_gone(row.bar.first_append_ns) => self.report.not_provable += 1,
            None => {
                let trades = format!("{} trades", row.bar.trades);
                self.differ(row.window, "bar", trades, "refolded none".to_owned());
            }
            Some(other) if other.bar == row.bar => {}
            Some(other) if self.ages.excuse(&row.bar, &other.bar) => self.report.not_provable += 1,
            Some(other) => self.values(row, &other.bar, "refolded"),
        }
        self.state(row, refolded);
        self.report.differing == before
    }

    /// What the log's order adds to a bar, as far as a bar alone can tell.
    fn state(&mut self, row: &BarRow, refolded: Option<&Refolded>) {
        let closed = row.window.end_ns() <= self.symbol.closed_until_ns;
        if row.closed != closed {
            let until = format_time(self.symbol.closed_until_ns);
            let expected = format!("{closed} is expected: windows are closed until {until}");
            self.differ(row.window, "closed", row.closed.to_string(), expected);
        }
        let applied = refolded.map_or(row.bar.trades, |other| other.admitted + other.amendments);
        let most = if row.closed { applied } else { 0 };
        let is_whole = !self.ages.ticks_gone(row.bar.first_append_ns);
        if row.revision > most && is_whole {
            let expected = format!("at most {most} is expected");
            self.differ(row.window, "revision", row.revision.to_string(), expected);
        }
        let least = refolded.map_or_else(Position::default, |other| other.newest);
        if row.through < least || row.through >= self.next {
            let (least, next) = (place(least), place(self.next));
            let expected = format!("from {least} to below {next} is expected");
            self.differ(row.window, "through", place(row.through), expected);
        }
    }

    /// Compares a bar with the stored bars of the interval below, unless one of those is wrong.
    fn compare_with_shorter(&mut self, row: &BarRow, (rows, wrong): &(&[BarRow], HashSet<i64>)) {
        let unsure = self.ages.bars_gone(row.bar.first_append_ns) || self.is_dirty(row.window);
        if !self.range.holds(row.window) || unsure {
            return;
        }
        let begin = rows.partition_point(|child| child.window.start_ns < row.window.start_ns);
        let end = rows.partition_point(|child| child.window.start_ns < row.window.end_ns());
        let children = &rows[begin..end];
        let Some(first) = children.first() else {
            let trades = format!("{} trades", row.bar.trades);
            let none = "no shorter bars are stored".to_owned();
            return self.differ(row.window, "bar", trades, none);
        };
        if children
            .iter()
            .any(|child| wrong.contains(&child.window.start_ns))
        {
            return;
        }
        // Where all their trades were cancelled, its edges are at its own start, not at theirs.
        let mut bar = Bar::empty(row.window.start_ns, i64::MAX);
        for child in children {
            bar.merge(&child.bar);
        }
        if bar != row.bar {
            let source = format!("its {} bars have", first.window.interval);
            self.values(row, &bar, &source);
        }
    }

    /// Names every value that differs.
    fn values(&mut self, row: &BarRow, other: &Bar, source: &str) {
        let before = self.report.differing;
        for ((field, stored), (_, other)) in values(&row.bar).into_iter().zip(values(other)) {
            if stored != other {
                self.differ(row.window, field, stored, format!("{source} {other}"));
            }
        }
        if self.report.differing == before {
            let text = format!("{:?}", row.bar);
            self.differ(row.window, "bar", text, format!("{source} {other:?}"));
        }
    }

    fn differ(&mut self, window: Window, field: &'static str, stored: String, refolded: String) {
        self.report.add(Difference {
            instrument: self.symbol.instrument.clone(),
            place: Place::Bar(window),
            field,
            stored,
            refolded,
        });
    }
}

/// Every value of a bar as text.
fn values(bar: &Bar) -> [(&'static str, String); 18] {
    [
        ("open", bar.open.price.to_string()),
        ("open_time", format_time(bar.open.time_ns)),
        ("open_id", id(&bar.open)),
        ("open_scope", scope(&bar.open)),
        ("open_position", place(bar.open.position)),
        ("high", bar.high.to_string()),
        ("low", bar.low.to_string()),
        ("close", bar.close.price.to_string()),
        ("close_time", format_time(bar.close.time_ns)),
        ("close_id", id(&bar.close)),
        ("close_scope", scope(&bar.close)),
        ("close_position", place(bar.close.position)),
        ("volume", bar.volume.to_string()),
        ("buy_volume", bar.buy_volume.to_string()),
        ("sell_volume", bar.sell_volume.to_string()),
        ("notional", bar.notional.to_string()),
        ("trades", bar.trades.to_string()),
        ("first_append", format_time(bar.first_append_ns)),
    ]
}

fn id(edge: &EdgeTrade) -> String {
    let id = edge.id.as_ref();
    id.map_or_else(|| "none".to_owned(), ToString::to_string)
}

fn scope(edge: &EdgeTrade) -> String {
    edge.scope.as_deref().unwrap_or("none").to_owned()
}

/// A position as `epoch/offset`.
pub(super) fn place(position: Position) -> String {
    position.to_string()
}
