//! What a run tells at its end.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use indicatif::HumanCount;
use market::{Instrument, Interval, Position, Window, format_time};
use store::Verdict;

use super::compare::place;

/// How many differences are shown.
const SHOWN: usize = 100;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) symbols: u64,
    /// Ticks read, whatever became of them.
    pub(super) ticks: u64,
    /// Ticks that the fold has left out, by verdict.
    left_out: BTreeMap<&'static str, u64>,
    /// Ticks that the fold has not come to.
    pub(super) not_yet: u64,
    pub(super) trades: u64,
    /// Edits and cancels that count.
    pub(super) amendments: u64,
    /// Bars of windows that hold a minute which is marked to be folded anew.
    pub(super) dirty: u64,
    /// Stored bars looked at, by interval.
    pub(super) compared: [u64; Interval::ALL.len()],
    /// Bars that differ as they may, because ticks that old are gone.
    pub(super) not_provable: u64,
    /// How many differences there are, shown or not.
    pub(super) differing: u64,
    shown: Vec<Difference>,
    pub(super) time: Duration,
}

/// One value that is not what the ticks say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) instrument: Instrument,
    pub(super) place: Place,
    pub(super) field: &'static str,
    pub(super) stored: String,
    pub(super) refolded: String,
}

/// What a difference is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A bar.
    Bar(Window),
    /// A tick, by its event time and its place in the log.
    Tick(i64, Position),
}

impl Report {
    /// Whether all bars are what their ticks say.
    pub(super) const fn is_equal(&self) -> bool {
        self.differing == 0
    }

    pub(super) fn add(&mut self, difference: Difference) {
        self.differing += 1;
        if self.shown.len() < SHOWN {
            self.shown.push(difference);
        }
    }

    pub(super) fn leave_out(&mut self, verdict: Verdict) {
        *self.left_out.entry(verdict.code()).or_default() += 1;
    }

    /// The rows of the table: what, and how much.
    fn rows(&self) -> Vec<(String, String)> {
        let row = |what: &str, count: u64| (what.to_owned(), HumanCount(count).to_string());
        let mut rows = vec![row("symbols", self.symbols), row("ticks read", self.ticks)];
        let left_out = self.left_out.iter();
        rows.extend(
            left_out.map(|(verdict, count)| row(&format!("  left out: {verdict}"), *count)),
        );
        if self.not_yet > 0 {
            rows.push(row("  not folded yet", self.not_yet));
        }
        if self.amendments > 0 {
            rows.push(row("  edits and cancels", self.amendments));
        }
        rows.push(row("trades", self.trades));
        let compared = Interval::ALL.iter().zip(self.compared);
        rows.extend(
            compared.map(|(interval, count)| row(&format!("{interval} bars compared"), count)),
        );
        rows.push(row("not provable any more", self.not_provable));
        if self.dirty > 0 {
            rows.push(row("to be folded anew", self.dirty));
        }
        rows.push(row("differences", self.differing));
        rows.push((
            "seconds".to_owned(),
            format!("{:.2}", self.time.as_secs_f64()),
        ));
        let ms = u64::try_from(self.time.as_millis()).unwrap_or(u64::MAX);
        let rate = self.ticks.saturating_mul(1_000).checked_div(ms);
        rows.push(row("ticks a second", rate.unwrap_or(0)));
        rows
    }
}

/// The differences, a line each; a table; and the verdict.
impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for difference in &self.shown {
            writeln!(out, "{difference}")?;
        }
        let more = self.differing - self.shown.len() as u64;
        if more > 0 {
            writeln!(out, "… and {} more differences", HumanCount(more))?;
        }
        let rows = self.rows();
        let width = |cell: fn(&(String, String)) -> usize| rows.iter().map(cell).max().unwrap_or(0);
        let widths = (width(|row| row.0.len()), width(|row| row.1.len()));
        for (what, count) in &rows {
            writeln!(out, "{what:<0$}  {count:>1$}", widths.0, widths.1)?;
        }
        if self.symbols == 0 {
            return writeln!(out, "No symbol is stored yet: nothing was compared.");
        }
        match (self.is_equal(), self.not_provable) {
            (true, 0) => writeln!(out, "Every bar is what its trades say."),
            (true, _) => writeln!(
                out,
                "Every bar whose ticks are still there is what its trades say."
            ),
            (false, _) => writeln!(out, "The bars are not what their trades say."),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            instrument,
            place,
            field,
            stored,
            refolded,
        } = self;
        write!(
            out,
            "{instrument} {place} {field}: stored {stored}, {refolded}"
        )
    }
}

impl fmt::Display for Place {
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
                    place(*position)
                )
            }
        }
    }
}
