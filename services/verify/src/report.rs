//! The report at the end of a run.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use host::{Align, TextTable, format_count};
use market::{Instrument, Interval, Position, Window, format_time};
use store::{DuplicateComparison, DuplicateTick, TickVerdict};

use crate::named_bar_values::format_position;
use crate::standstill::{StandingPartition, UnfoldedCause};

/// The most differences that are listed.
const LISTED_LIMIT: usize = 100;

/// What a run has read, compared and found.
#[derive(Debug, Default)]
pub(crate) struct VerifyReport {
    pub(crate) symbols: u64,
    /// The number of ticks that were read.
    pub(crate) ticks: u64,
    /// The number of ticks that the fold excluded, by verdict.
    excluded: BTreeMap<&'static str, u64>,
    /// The number of excluded duplicates that differ from the first delivery.
    pub(crate) conflicts: u64,
    /// The number of excluded duplicates whose first delivery is no longer stored.
    pub(crate) not_comparable: u64,
    /// The number of ticks that are not folded yet.
    pub(crate) undecided: u64,
    pub(crate) trades: u64,
    /// The number of edits and cancels that count.
    pub(crate) amendments: u64,
    /// The number of bars that hold a minute that is to be refolded.
    pub(crate) dirty_bars: u64,
    /// The number of stored bars that were compared, by interval.
    pub(crate) compared: [u64; Interval::ALL.len()],
    /// The number of bars whose difference proves nothing, since ticks that old may be deleted.
    pub(crate) not_provable: u64,
    /// The number of differences, listed or not.
    pub(crate) difference_count: u64,
    listed: Vec<StoredValueDifference>,
    /// Partitions with records that are not folded.
    pub(crate) standing: Vec<StandingPartition>,
    pub(crate) duration: Duration,
}

/// One stored value that is not what the ticks add up to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredValueDifference {
    pub(crate) instrument: Instrument,
    pub(crate) location: DifferenceLocation,
    pub(crate) field: &'static str,
    pub(crate) stored: String,
    pub(crate) refolded: String,
}

/// The bar or tick that a difference is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DifferenceLocation {
    /// A bar.
    Bar(Window),
    /// A tick, by its event time in nanoseconds and its position in the log.
    Tick(i64, Position),
}

impl VerifyReport {
    /// Returns whether no bar differs from its ticks.
    pub(crate) const fn has_no_differences(&self) -> bool {
        self.difference_count == 0
    }

    /// Returns whether no bar differs from its ticks, and no record waits that nobody folds.
    pub(crate) const fn is_success(&self) -> bool {
        self.has_no_differences() && self.standing.is_empty()
    }

    /// Counts a difference, and lists it if it is one of the first.
    pub(crate) fn add_difference(&mut self, difference: StoredValueDifference) {
        self.difference_count += 1;
        if self.listed.len() < LISTED_LIMIT {
            self.listed.push(difference);
        }
    }

    /// Counts a tick that the fold excluded.
    pub(crate) fn count_excluded_tick(&mut self, verdict: TickVerdict) {
        *self.excluded.entry(verdict.code()).or_default() += 1;
    }

    /// Counts the duplicates that differ from their first deliveries.
    pub(crate) fn count_conflicts(&mut self, duplicates: &[DuplicateTick]) {
        for duplicate in duplicates {
            match duplicate.compare() {
                DuplicateComparison::Same => {}
                DuplicateComparison::Conflict(_) => self.conflicts += 1,
                DuplicateComparison::NotComparable => self.not_comparable += 1,
            }
        }
    }

    fn table(&self) -> TextTable {
        let mut table = TextTable::new([Align::Left, Align::Right]);
        let mut push = |name: &str, count: u64| table.push_row([name, &format_count(count)]);
        push("symbols", self.symbols);
        push("ticks read", self.ticks);
        for (verdict, count) in &self.excluded {
            push(&format!("  excluded: {verdict}"), *count);
            if *verdict == TickVerdict::Duplicate.code() {
                push("    conflicts", self.conflicts);
                if self.not_comparable > 0 {
                    push("    not comparable any more", self.not_comparable);
                }
            }
        }
        if self.undecided > 0 {
            push("  not folded yet", self.undecided);
        }
        if self.amendments > 0 {
            push("  edits and cancels", self.amendments);
        }
        push("trades", self.trades);
        for (interval, count) in Interval::ALL.iter().zip(self.compared) {
            push(&format!("{interval} bars compared"), count);
        }
        push("not provable any more", self.not_provable);
        if self.dirty_bars > 0 {
            push("to be refolded", self.dirty_bars);
        }
        push("differences", self.difference_count);
        table.push_row(["seconds", &format!("{:.2}", self.duration.as_secs_f64())]);
        let ms = u64::try_from(self.duration.as_millis()).unwrap_or(u64::MAX);
        let rate = self.ticks.saturating_mul(1_000).checked_div(ms);
        table.push_row(["ticks a second", &format_count(rate.unwrap_or(0))]);
        table
    }
}

/// Writes a line for each listed difference, a table of counts, and the result.
impl fmt::Display for VerifyReport {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for difference in &self.listed {
            writeln!(out, "{difference}")?;
        }
        let unlisted = self.difference_count - self.listed.len() as u64;
        if unlisted > 0 {
            let count = format_count(unlisted);
            writeln!(out, "… and {count} more differences")?;
        }
        for found in &self.standing {
            writeln!(out, "{found}")?;
        }
        write!(out, "{}", self.table())?;
        if self.conflicts > 0 {
            writeln!(
                out,
                "{} duplicates conflict with the first delivery (another time, price, quantity or \
                 side): GET /api/v1/duplicates/VENUE/SYMBOL?conflicts=true lists them.",
                format_count(self.conflicts)
            )?;
        }
        if !self.standing.is_empty() {
            writeln!(
                out,
                "The fold is behind the log, as the lines above the table say: what is not folded \
                 was not compared."
            )?;
        }
        if self.symbols == 0 {
            return writeln!(out, "No symbol is stored yet: nothing was compared.");
        }
        match (self.has_no_differences(), self.not_provable) {
            (true, 0) => writeln!(out, "Every bar is what its trades say."),
            (true, _) => writeln!(
                out,
                "Every bar whose ticks are still there is what its trades say."
            ),
            (false, _) => writeln!(out, "The bars are not what their trades say."),
        }
    }
}

impl fmt::Display for StandingPartition {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            partition,
            offset,
            cause,
        } = self;
        write!(
            out,
            "partition {partition} of trades stands still before offset {offset}: "
        )?;
        match cause {
            UnfoldedCause::NotFolded => {
                write!(
                    out,
                    "there are records, and no aggregator of this database folds them"
                )
            }
            UnfoldedCause::OpenTransaction => write!(
                out,
                "a producer has an open transaction, and the brokers keep it and what follows from \
                 readers until it ends; docs/operations.md says how to find and end it"
            ),
            UnfoldedCause::NoProcess { records } => write!(
                out,
                "the log holds {} records from there on, and no process folds them: start \
                 `candlewick standalone` on the data folder, and verify again",
                format_count(*records)
            ),
        }
    }
}

impl fmt::Display for StoredValueDifference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            instrument,
            location,
            field,
            stored,
            refolded,
        } = self;
        write!(
            out,
            "{instrument} {location} {field}: stored {stored}, {refolded}"
        )
    }
}

impl fmt::Display for DifferenceLocation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bar(window) => {
                write!(out, "{} {}", window.interval, format_time(window.start_ns))
            }
            Self::Tick(time_ns, position) => {
                write!(
                    out,
                    "tick {} at {}",
                    format_time(*time_ns),
                    format_position(*position)
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use store::TickVerdict;

    use super::VerifyReport;

    #[test]
    fn counts_line_up_below_each_other() {
        let mut report = VerifyReport {
            symbols: 1,
            ticks: 43_342,
            trades: 43_341,
            amendments: 7,
            dirty_bars: 2,
            compared: [429, 108, 45, 24, 13, 4, 1],
            duration: Duration::from_millis(70),
            ..VerifyReport::default()
        };
        report.count_excluded_tick(TickVerdict::Duplicate);
        let expected = "\
symbols                      1
ticks read              43,342
  excluded: duplicate        1
    conflicts                0
  edits and cancels          7
trades                  43,341
1m bars compared           429
5m bars compared           108
15m bars compared           45
30m bars compared           24
1h bars compared            13
4h bars compared             4
1d bars compared             1
not provable any more        0
to be refolded               2
differences                  0
seconds                   0.07
ticks a second         619,171
Every bar is what its trades say.
";
        assert_eq!(report.to_string(), expected);
    }
}
