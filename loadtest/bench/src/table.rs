//! What is printed.

/// Rows of what was measured beside what the design asks for.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: Vec<[String; 4]>,
}

impl Table {
    /// A figure with a floor or a ceiling.
    pub(super) fn budget(&mut self, what: &str, measured: &str, budget: &str, met: bool) {
        let verdict = if met { "met" } else { "MISSED" };
        self.push([what, measured, budget, verdict]);
    }

    /// A figure that the design sets no budget for.
    pub(super) fn figure(&mut self, what: &str, measured: &str) {
        self.push([what, measured, "", ""]);
    }

    fn push(&mut self, row: [&str; 4]) {
        println!("{:<52} {:>22}  {:<18} {}", row[0], row[1], row[2], row[3]);
        self.rows.push(row.map(str::to_owned));
    }

    /// Prints all of it as a table that documents can hold.
    pub(super) fn print(&self) {
        let head = ["what", "measured", "budget", ""].map(str::to_owned);
        let rows: Vec<_> = std::iter::once(&head).chain(&self.rows).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
        let widths = [width(0), width(1), width(2), width(3)];
        println!();
        for (place, row) in rows.iter().enumerate() {
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
            if place == 0 {
                let rules = widths.map(|width| "-".repeat(width));
                println!("| {} |", rules.join(" | "));
            }
        }
    }
}

/// Millions with two digits.
pub(super) fn millions(count: u64, seconds: f64) -> String {
    format!("{:.2} M/s", count as f64 / seconds / 1e6)
}

/// The value below which so many thousandths of the sorted values lie.
pub(super) fn quantile(sorted: &[u64], thousandths: usize) -> u64 {
    let place = (sorted.len() * thousandths / 1_000).min(sorted.len().saturating_sub(1));
    sorted.get(place).copied().unwrap_or(0)
}

/// Microseconds as milliseconds.
pub(super) fn milliseconds(micros: u64) -> String {
    format!("{}.{:02} ms", micros / 1_000, micros % 1_000 / 10)
}
