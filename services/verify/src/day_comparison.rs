//! Compares the stored bars of a day with the refolded ones.

use std::collections::HashSet;

use market::{Bar, BarRow, Interval, Position, Window, format_time};
use store::SymbolRow;

use crate::arguments::TimeRange;
use crate::day_fold::{DayFold, RefoldedBar};
use crate::named_bar_values::{format_position, named_bar_values};
use crate::report::{DifferenceLocation, StoredValueDifference, VerifyReport};
use crate::retention::RetentionLimits;
use crate::stored_bars::DayBars;

/// What the comparison of one stored bar found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StoredBarCheckResult {
    /// The bar does not differ, or is not to be compared.
    Right,
    /// The bar differs, or will be refolded.
    Wrong,
}

/// Compares the bars of one symbol and one day.
pub(crate) struct DayComparer<'a> {
    pub(crate) symbol: &'a SymbolRow,
    /// The first position of its partition that is not folded.
    pub(crate) next: Position,
    pub(crate) range: TimeRange,
    pub(crate) limits: RetentionLimits,
    /// The starts of minutes that are to be refolded, ascending.
    pub(crate) dirty_minutes: &'a [i64],
    pub(crate) report: &'a mut VerifyReport,
}

impl DayComparer<'_> {
    /// Compares every bar of every interval.
    pub(crate) fn compare_day(mut self, stored: &DayBars, fold: &mut DayFold) {
        let mut shorter: (&[BarRow], HashSet<i64>) = (&[], HashSet::new());
        for (interval, rows) in Interval::ALL.into_iter().zip(stored) {
            let mut wrong =
                self.report_wrong_bars_and_return_starts(rows, fold.take_bars(interval));
            let is_right = |row: &&BarRow| !wrong.contains(&row.window.start_ns);
            let longer: Vec<_> = match interval {
                Interval::M1 => Vec::new(),
                _ => rows.iter().filter(is_right).collect(),
            };
            for row in longer {
                let before = self.report.difference_count;
                self.compare_with_shorter_interval(row, &shorter);
                if self.report.difference_count > before {
                    wrong.insert(row.window.start_ns);
                }
            }
            shorter = (rows, wrong);
        }
    }

    /// Compares the bars of one interval. Returns the starts of those that are wrong.
    fn report_wrong_bars_and_return_starts(
        &mut self,
        stored: &[BarRow],
        refolded: impl Iterator<Item = (Window, RefoldedBar)>,
    ) -> HashSet<i64> {
        let mut refolded = refolded.peekable();
        let mut wrong = HashSet::new();
        for row in stored {
            let start_ns = row.window.start_ns;
            while let Some((window, other)) =
                refolded.next_if(|(window, _)| window.start_ns < start_ns)
            {
                self.report_missing_bar_if_provable(window, &other);
            }
            let other = refolded.next_if(|(window, _)| window.start_ns == start_ns);
            let other = other.map(|(_, other)| other);
            if self.compare_bar(row, other.as_ref()) == StoredBarCheckResult::Wrong {
                wrong.insert(start_ns);
            }
        }
        for (window, other) in refolded {
            self.report_missing_bar_if_provable(window, &other);
        }
        wrong
    }

    /// Returns whether `window` holds a minute that is to be refolded. Its bar may still differ
    /// from its trades.
    fn holds_dirty_minute(&self, window: Window) -> bool {
        let first = self
            .dirty_minutes
            .partition_point(|start_ns| *start_ns < window.start_ns);
        let start_ns = self.dirty_minutes.get(first);
        start_ns.is_some_and(|start_ns| *start_ns < window.end_ns())
    }

    /// Reports trades whose bar is not stored.
    fn report_missing_bar_if_provable(&mut self, window: Window, refolded: &RefoldedBar) {
        if !self.range.contains_window(window) || self.holds_dirty_minute(window) {
            return;
        }
        if self
            .limits
            .verdicts_may_be_deleted(refolded.bar.first_append_ns)
        {
            self.report.not_provable += 1;
            return;
        }
        let trades = format!("refolded {} trades", refolded.bar.trades);
        self.report_difference(window, "bar", "none".to_owned(), trades);
    }

    /// Compares a stored bar with the refolded one, and reports differences.
    fn compare_bar(
        &mut self,
        row: &BarRow,
        refolded: Option<&RefoldedBar>,
    ) -> StoredBarCheckResult {
        if !self.range.contains_window(row.window) {
            return StoredBarCheckResult::Right;
        }
        if self.holds_dirty_minute(row.window) {
            self.report.dirty_bars += 1;
            return StoredBarCheckResult::Wrong;
        }
        self.report.compared[row.window.interval.index()] += 1;
        let before = self.report.difference_count;
        match refolded {
            None if self.limits.ticks_may_be_deleted(row.bar.first_append_ns) => {
                self.report.not_provable += 1;
            }
            _ if !row.provable => self.report.not_provable += 1,
            // A forced refold leaves such a row in a minute without ticks.
            None if row.bar.admitted == 0 && row.bar.trades == 0 => {}
            None => {
                let trades = format!("{} trades", row.bar.trades);
                self.report_difference(row.window, "bar", trades, "refolded none".to_owned());
            }
            Some(other) if other.bar == row.bar => {}
            Some(other) if self.limits.explains_difference(&row.bar, &other.bar) => {
                self.report.not_provable += 1;
            }
            Some(other) => self.report_differing_values(row, &other.bar, "refolded"),
        }
        self.check_closed_revision_and_through(row, refolded);
        match self.report.difference_count == before {
            true => StoredBarCheckResult::Right,
            false => StoredBarCheckResult::Wrong,
        }
    }

    /// Checks the values of a row that depend on the order of the log and not on the trades alone:
    /// `closed`, `revision` and `through`, as far as one bar shows them.
    fn check_closed_revision_and_through(&mut self, row: &BarRow, refolded: Option<&RefoldedBar>) {
        let closed = row.window.end_ns() <= self.symbol.closed_until_ns;
        if row.closed != closed {
            let until = format_time(self.symbol.closed_until_ns);
            let expected = format!("{closed} is expected: windows are closed until {until}");
            self.report_difference(row.window, "closed", row.closed.to_string(), expected);
        }
        let applied = refolded.map_or(row.bar.trades, |other| other.trades + other.amendments);
        let limit = if row.closed { applied } else { 0 };
        let has_all_ticks = !self.limits.ticks_may_be_deleted(row.bar.first_append_ns);
        if row.revision > limit && has_all_ticks {
            let expected = format!("at most {limit} is expected");
            self.report_difference(row.window, "revision", row.revision.to_string(), expected);
        }
        let least = refolded.map_or_else(Position::default, |other| other.newest);
        if row.through < least || row.through >= self.next {
            let (least, next) = (format_position(least), format_position(self.next));
            let expected = format!("from {least} to below {next} is expected");
            self.report_difference(
                row.window,
                "through",
                format_position(row.through),
                expected,
            );
        }
    }

    /// Compares a bar with the stored bars of the next shorter interval, unless one of those is
    /// wrong.
    fn compare_with_shorter_interval(
        &mut self,
        row: &BarRow,
        (rows, wrong): &(&[BarRow], HashSet<i64>),
    ) {
        let is_unsure = self.limits.bars_may_be_deleted(row.bar.first_append_ns)
            || self.holds_dirty_minute(row.window);
        if !self.range.contains_window(row.window) || is_unsure {
            return;
        }
        let begin = rows.partition_point(|child| child.window.start_ns < row.window.start_ns);
        let end = rows.partition_point(|child| child.window.start_ns < row.window.end_ns());
        let children = &rows[begin..end];
        let Some(first) = children.first() else {
            let trades = format!("{} trades", row.bar.trades);
            let none = "no shorter bars are stored".to_owned();
            return self.report_difference(row.window, "bar", trades, none);
        };
        if children
            .iter()
            .any(|child| wrong.contains(&child.window.start_ns))
        {
            return;
        }
        // If all trades were cancelled, the edges of the bar are at its own start, not at theirs.
        let mut bar = Bar::empty(row.window.start_ns, 0, i64::MAX);
        for child in children {
            bar.merge_other_window(&child.bar);
        }
        if !row.provable {
            // A forced refold may leave a shorter bar without a counted trade, whose time of the
            // first then no longer counts there. It still does here.
            bar.first_append_ns = row.bar.first_append_ns;
        }
        if bar != row.bar {
            let source = format!("its {} bars have", first.window.interval);
            self.report_differing_values(row, &bar, &source);
        }
    }

    /// Reports every value that differs.
    fn report_differing_values(&mut self, row: &BarRow, other: &Bar, source: &str) {
        let before = self.report.difference_count;
        for ((field, stored), (_, other)) in named_bar_values(&row.bar)
            .into_iter()
            .zip(named_bar_values(other))
        {
            if stored != other {
                self.report_difference(row.window, field, stored, format!("{source} {other}"));
            }
        }
        if self.report.difference_count == before {
            let text = format!("{:?}", row.bar);
            self.report_difference(row.window, "bar", text, format!("{source} {other:?}"));
        }
    }

    fn report_difference(
        &mut self,
        window: Window,
        field: &'static str,
        stored: String,
        refolded: String,
    ) {
        self.report.add_difference(StoredValueDifference {
            instrument: self.symbol.instrument.clone(),
            location: DifferenceLocation::Bar(window),
            field,
            stored,
            refolded,
        });
    }
}
