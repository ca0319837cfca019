//! What a run tells at its end.

use std::time::Duration;

use indicatif::HumanCount;

use crate::faults::{Fault, Faults};
use crate::progress::rate;
use crate::resume::Reached;

const HEADINGS: [&str; 6] = [
    "tape",
    "trades",
    "sent before",
    "accepted",
    "rejected",
    "bad lines",
];
/// The column that only a run that went on has.
const SENT_BEFORE: usize = 2;

/// What became of a run.
#[derive(Debug)]
pub(crate) struct Report {
    /// The tapes' names.
    pub(crate) names: Vec<String>,
    /// Lines that were no trades.
    pub(crate) bad: Faults,
    /// Trades that were refused.
    pub(crate) rejected: Faults,
    /// Trades that this run sent, by tape.
    pub(crate) sent: Vec<u64>,
    /// Trades that an earlier run sent, by tape.
    pub(crate) skipped: Vec<u64>,
    /// How far that run got.
    pub(crate) before: Reached,
    /// How long this run took.
    pub(crate) time: Duration,
}

impl Report {
    /// Whether every line was a trade, and every trade was taken.
    pub(crate) fn is_clean(&self) -> bool {
        self.bad.count() + self.rejected.count() + self.before.rejected == 0
    }

    /// The faults that are shown, a line each, and how many there are beyond those.
    pub(crate) fn faults(&self) -> String {
        let mut text = String::new();
        for (what, faults) in [("not a trade", &self.bad), ("rejected", &self.rejected)] {
            for fault in faults.first() {
                text += &format!("{what}: {}\n", self.fault(fault));
            }
            let more = faults.count() - faults.first().len() as u64;
            if more > 0 {
                text += &format!("{what}: {} more\n", HumanCount(more));
            }
        }
        text
    }

    fn fault(&self, fault: &Fault) -> String {
        let name = &self.names[fault.tape];
        match fault.line {
            0 => format!("{name}: {}", fault.reason),
            line => format!("{name}:{line}: {}", fault.reason),
        }
    }

    /// A table of the tapes, and a line that sums up.
    pub(crate) fn table(&self) -> String {
        let mut rows: Vec<_> = (0..self.names.len()).map(|tape| self.row(tape)).collect();
        if rows.len() > 1 {
            rows.push(self.total());
        }
        rows.insert(0, HEADINGS.map(str::to_owned));
        let went_on = self.before.trades > 0;
        let columns = (0..HEADINGS.len()).filter(|column| went_on || *column != SENT_BEFORE);
        let widths: Vec<_> = columns
            .map(|column| {
                let cells = rows.iter().map(|row| row[column].chars().count());
                (column, cells.max().unwrap_or(0))
            })
            .collect();
        let mut text = String::new();
        for row in &rows {
            let cells = widths.iter().map(|(column, width)| match column {
                0 => format!("{:<width$}", row[0]),
                _ => format!("{:>width$}", row[*column]),
            });
            text += cells.collect::<Vec<_>>().join("  ").trim_end();
            text.push('\n');
        }
        text + &self.closing()
    }

    fn row(&self, tape: usize) -> [String; 6] {
        let (sent, rejected) = (self.sent[tape], self.rejected.of_tape(tape));
        cells(
            &self.names[tape],
            [
                sent + self.skipped[tape],
                self.skipped[tape],
                sent - rejected,
                rejected,
                self.bad.of_tape(tape),
            ],
        )
    }

    fn total(&self) -> [String; 6] {
        let (sent, skipped): (u64, u64) = (self.sent.iter().sum(), self.skipped.iter().sum());
        let rejected = self.rejected.count();
        let counts = [
            sent + skipped,
            skipped,
            sent - rejected,
            rejected,
            self.bad.count(),
        ];
        cells("all", counts)
    }

    fn closing(&self) -> String {
        let sent: u64 = self.sent.iter().sum();
        let rate = rate(sent, self.time);
        let mut text = format!(
            "{} trades in {:.2} s: {} trades/s\n",
            HumanCount(sent),
            self.time.as_secs_f64(),
            HumanCount(rate),
        );
        if self.before.rejected > 0 {
            let before = HumanCount(self.before.rejected);
            text += &format!("{before} of those sent before were rejected then\n");
        }
        text + "Accepted means durable; trades that were there already are counted as duplicates when they are folded.\n"
    }
}

fn cells(name: &str, counts: [u64; 5]) -> [String; 6] {
    let [a, b, c, d, e] = counts.map(|count| HumanCount(count).to_string());
    [name.to_owned(), a, b, c, d, e]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Report;
    use crate::faults::Faults;
    use crate::resume::Reached;

    fn report() -> Report {
        let mut bad = Faults::new(2);
        bad.add(0, 3, "has 6 cells; 7 are expected");
        bad.add(1, 0, "the zip is damaged");
        let mut rejected = Faults::new(2);
        for line in 0..22 {
            rejected.add(0, 100 + line, "time is before 1970-01-01T00:00:00Z");
        }
        Report {
            names: vec!["SPY-trades.zip".to_owned(), "B.csv".to_owned()],
            bad,
            rejected,
            sent: vec![1_234_567, 0],
            skipped: vec![0, 0],
            before: Reached::default(),
            time: Duration::from_millis(2_500),
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
    fn the_first_faults_are_shown_and_the_others_counted() {
        let faults = report().faults();
        let lines: Vec<_> = faults.lines().collect();
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
