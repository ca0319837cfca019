//! The report at the end of a run.

use std::time::Duration;

use host::{Align, TextTable, format_count};

use crate::conflict_lines::{conflict_lines, has_conflicts};
use crate::conflicts::SymbolConflicts;
use crate::problems::{LineProblem, LineProblems};
use crate::progress::trades_per_second;
use crate::resume_file::AcknowledgedTradeCounts;

const COLUMNS: [&str; 6] = [
    "tape",
    "trades",
    "sent before",
    "accepted",
    "rejected",
    "bad lines",
];
/// The index of the column that only a resumed run has.
const SENT_BEFORE: usize = 2;

/// The outcome of a run.
#[derive(Debug)]
pub(crate) struct ReplayReport {
    pub(crate) tape_names: Vec<String>,
    /// Lines that are not trades.
    pub(crate) bad_lines: LineProblems,
    /// Trades that the server rejected.
    pub(crate) rejected: LineProblems,
    /// The number of trades that this run sent, by tape, rejected ones included.
    pub(crate) sent: Vec<u64>,
    /// The number of trades that an earlier run sent, by tape.
    pub(crate) skipped: Vec<u64>,
    /// How far that earlier run got.
    pub(crate) sent_before: AcknowledgedTradeCounts,
    /// The symbols with conflicts among the trades of this run, or why they could not be counted.
    pub(crate) conflicts: Result<Vec<SymbolConflicts>, String>,
    pub(crate) duration: Duration,
}

impl ReplayReport {
    /// Returns whether every line was a trade, and every trade was accepted and does not contradict
    /// an earlier delivery, as far as that is known.
    pub(crate) fn is_clean(&self) -> bool {
        let problems =
            self.bad_lines.total_count() + self.rejected.total_count() + self.sent_before.rejected;
        problems == 0
            && !self
                .conflicts
                .as_ref()
                .is_ok_and(|found| has_conflicts(found))
    }

    /// Returns a line for each listed problem, and the number of the others.
    pub(crate) fn problem_lines(&self) -> String {
        let mut text = String::new();
        let kinds = [
            ("not a trade", &self.bad_lines),
            ("rejected", &self.rejected),
        ];
        for (kind, problems) in kinds {
            for problem in problems.listed() {
                text += &format!("{kind}: {}\n", self.problem_text(problem));
            }
            let unlisted = problems.total_count() - problems.listed().len() as u64;
            if unlisted > 0 {
                text += &format!("{kind}: {} more\n", format_count(unlisted));
            }
        }
        text
    }

    fn problem_text(&self, problem: &LineProblem) -> String {
        let name = &self.tape_names[problem.tape_index];
        match problem.line {
            0 => format!("{name}: {}", problem.reason),
            line => format!("{name}:{line}: {}", problem.reason),
        }
    }

    /// Returns a table of the tapes, and a summary.
    pub(crate) fn table(&self) -> String {
        let is_resumed = self.sent_before.trades > 0;
        let is_shown = |column: usize| is_resumed || column != SENT_BEFORE;
        let alignments = std::iter::once(Align::Left).chain(std::iter::repeat(Align::Right));
        let columns = COLUMNS.into_iter().zip(alignments).enumerate();
        let columns = columns.filter(|(column, _)| is_shown(*column));
        let mut table = TextTable::with_header(columns.map(|(_, column)| column));
        let mut rows: Vec<_> = (0..self.tape_names.len())
            .map(|tape_index| self.tape_row(tape_index))
            .collect();
        if rows.len() > 1 {
            rows.push(self.total_row());
        }
        for row in rows {
            let cells = row.into_iter().enumerate();
            let cells = cells.filter(|(column, _)| is_shown(*column));
            table.push_row(cells.map(|(_, cell)| cell));
        }
        table.to_string() + &self.rate_and_conflict_lines()
    }

    fn tape_row(&self, tape_index: usize) -> [String; 6] {
        let sent = self.sent[tape_index];
        let rejected = self.rejected.count_of_tape(tape_index);
        let counts = [
            sent + self.skipped[tape_index],
            self.skipped[tape_index],
            sent - rejected,
            rejected,
            self.bad_lines.count_of_tape(tape_index),
        ];
        format_row(&self.tape_names[tape_index], counts)
    }

    fn total_row(&self) -> [String; 6] {
        let (sent, skipped): (u64, u64) = (self.sent.iter().sum(), self.skipped.iter().sum());
        let rejected = self.rejected.total_count();
        let counts = [
            sent + skipped,
            skipped,
            sent - rejected,
            rejected,
            self.bad_lines.total_count(),
        ];
        format_row("all", counts)
    }

    fn rate_and_conflict_lines(&self) -> String {
        let sent: u64 = self.sent.iter().sum();
        let rate = trades_per_second(sent, self.duration);
        let mut text = format!(
            "{} trades in {:.2} s: {} trades/s\n",
            format_count(sent),
            self.duration.as_secs_f64(),
            format_count(rate),
        );
        if self.sent_before.rejected > 0 {
            let rejected = format_count(self.sent_before.rejected);
            text += &format!("{rejected} of those sent before were rejected then\n");
        }
        text += "Accepted means durable; trades that were there already are counted as duplicates when they are folded.\n";
        text + &conflict_lines(&self.conflicts, self.sent_before.trades)
    }
}

fn format_row(name: &str, counts: [u64; 5]) -> [String; 6] {
    let [a, b, c, d, e] = counts.map(format_count);
    [name.to_owned(), a, b, c, d, e]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::ReplayReport;
    use crate::problems::LineProblems;
    use crate::resume_file::AcknowledgedTradeCounts;

    fn report() -> ReplayReport {
        let mut bad_lines = LineProblems::new(2);
        bad_lines.add(0, 3, "has 6 cells; 7 are expected");
        bad_lines.add(1, 0, "the zip is damaged");
        let mut rejected = LineProblems::new(2);
        for line in 0..22 {
            rejected.add(0, 100 + line, "time is before 1970-01-01T00:00:00Z");
        }
        ReplayReport {
            tape_names: vec!["SPY-trades.zip".to_owned(), "B.csv".to_owned()],
            bad_lines,
            rejected,
            sent: vec![1_234_567, 0],
            skipped: vec![0, 0],
            sent_before: AcknowledgedTradeCounts::default(),
            conflicts: Ok(Vec::new()),
            duration: Duration::from_millis(2_500),
        }
    }

    #[test]
    fn columns_line_up() {
        let table = report().table();
        let expected = "\
tape               trades   accepted  rejected  bad lines
SPY-trades.zip  1,234,567  1,234,545        22          1
B.csv                   0          0         0          1
all             1,234,567  1,234,545        22          2
1,234,567 trades in 2.50 s: 493,826 trades/s
";
        assert!(table.starts_with(expected), "{table}");
    }

    #[test]
    fn a_resumed_run_has_a_column_of_what_was_sent_before() {
        let resumed = ReplayReport {
            skipped: vec![0, 1_000],
            sent_before: AcknowledgedTradeCounts {
                trades: 1_000,
                rejected: 2,
            },
            ..report()
        };
        let expected = "\
tape               trades  sent before   accepted  rejected  bad lines
SPY-trades.zip  1,234,567            0  1,234,545        22          1
B.csv               1,000        1,000          0         0          1
all             1,235,567        1,000  1,234,545        22          2
1,234,567 trades in 2.50 s: 493,826 trades/s
2 of those sent before were rejected then
";
        let table = resumed.table();
        assert!(table.starts_with(expected), "{table}");
    }

    #[test]
    fn the_first_problems_are_listed_and_the_others_counted() {
        let problems = report().problem_lines();
        let lines: Vec<_> = problems.lines().collect();
        assert_eq!(
            lines[0],
            "not a trade: SPY-trades.zip:3: has 6 cells; 7 are expected"
        );
        assert_eq!(lines[1], "not a trade: B.csv: the zip is damaged");
        assert_eq!(lines.len(), 2 + 20 + 1);
        assert_eq!(lines[22], "rejected: 2 more");
        assert!(!report().is_clean());
    }
}
