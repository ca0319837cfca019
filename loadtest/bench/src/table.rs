//! The table of figures.

/// Measured figures next to the design's budgets, each printed as soon as it is added.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: Vec<[String; 4]>,
}

impl Table {
    /// Adds a figure that has a budget.
    pub(super) fn add_budget(&mut self, what: &str, measured: &str, budget: &str, met: bool) {
        let verdict = if met { "met" } else { "MISSED" };
        self.push([what, measured, budget, verdict]);
    }

    /// Adds a figure without a budget.
    pub(super) fn add_figure(&mut self, what: &str, measured: &str) {
        self.push([what, measured, "", ""]);
    }

    fn push(&mut self, row: [&str; 4]) {
        println!("{:<52} {:>22}  {:<18} {}", row[0], row[1], row[2], row[3]);
        self.rows.push(row.map(str::to_owned));
    }

    /// Prints all rows as a Markdown table.
    pub(super) fn print(&self) {
        let head = ["what", "measured", "budget", ""].map(str::to_owned);
        let rows: Vec<_> = std::iter::once(&head).chain(&self.rows).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
        let widths = [width(0), width(1), width(2), width(3)];
        println!();
        for (number, row) in rows.iter().enumerate() {
            println!(
                "| {:<w0$} | {:>w1$} | {:<w2$} | {:<w3$} |",
                row[0],
                row[1],
                row[2],
                row[3],
                w0 = widths[0],
                w1 = widths[1],
                w2 = widths[2],
                w3 = widths[3]
            );
            if number == 0 {
                let rules = widths.map(|width| "-".repeat(width));
                println!("| {} |", rules.join(" | "));
            }
        }
    }
}

/// Formats a rate in millions per second, with two digits.
pub(super) fn millions(count: u64, seconds: f64) -> String {
    format!("{:.2} M/s", count as f64 / seconds / 1e6)
}

/// Returns the value below which `thousandths` of 1,000 of the sorted values lie; 0 if there are
/// none.
pub(super) fn quantile(sorted: &[u64], thousandths: usize) -> u64 {
    let index = (sorted.len() * thousandths / 1_000).min(sorted.len().saturating_sub(1));
    sorted.get(index).copied().unwrap_or(0)
}

/// Formats microseconds as milliseconds.
pub(super) fn milliseconds(micros: u64) -> String {
    format!("{}.{:02} ms", micros / 1_000, micros % 1_000 / 10)
}
