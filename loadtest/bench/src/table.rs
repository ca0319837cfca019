//! The figures and budgets that are printed.

use host::{Align, TextTable};

/// The measured figures and their budgets in the design.
#[derive(Debug, Default)]
pub(super) struct FigureTable {
    rows: Vec<[String; 4]>,
}

impl FigureTable {
    /// Adds a figure that has a budget, and prints its row.
    pub(super) fn add_and_print_budgeted_figure(
        &mut self,
        what: &str,
        measured: &str,
        budget: &str,
        met: bool,
    ) {
        let verdict = if met { "met" } else { "MISSED" };
        self.push_and_print_row([what, measured, budget, verdict]);
    }

    /// Adds a figure without a budget, and prints its row.
    pub(super) fn add_and_print_figure(&mut self, what: &str, measured: &str) {
        self.push_and_print_row([what, measured, "", ""]);
    }

    fn push_and_print_row(&mut self, row: [&str; 4]) {
        println!("{:<52} {:>22}  {:<18} {}", row[0], row[1], row[2], row[3]);
        self.rows.push(row.map(str::to_owned));
    }

    /// Prints all rows as a Markdown table.
    pub(super) fn print(&self) {
        print!("\n{}", self.to_markdown());
    }

    fn to_markdown(&self) -> String {
        let mut table = TextTable::with_header([
            ("what", Align::Left),
            ("measured", Align::Right),
            ("budget", Align::Left),
            ("", Align::Left),
        ]);
        for row in &self.rows {
            table.push_row(row.iter().map(String::as_str));
        }
        table.to_markdown()
    }
}

/// Formats a rate in millions a second, with two decimals.
pub(super) fn format_rate_in_millions(count: u64, seconds: f64) -> String {
    format!("{:.2} M/s", count as f64 / seconds / 1e6)
}

/// Returns a quantile of the sorted values: the median for 500 `thousandths`, the greatest for
/// 1,000.
pub(super) fn quantile(sorted: &[u64], thousandths: usize) -> u64 {
    let index = (sorted.len() * thousandths / 1_000).min(sorted.len().saturating_sub(1));
    sorted.get(index).copied().unwrap_or(0)
}

/// Formats microseconds as milliseconds.
pub(super) fn format_as_milliseconds(micros: u64) -> String {
    format!("{}.{:02} ms", micros / 1_000, micros % 1_000 / 10)
}

#[cfg(test)]
mod tests {
    use super::FigureTable;

    #[test]
    fn figures_and_budgets_are_a_markdown_table() {
        let mut table = FigureTable::default();
        table.add_and_print_budgeted_figure("fold in memory", "41.25 M/s", "40 M/s", true);
        table.add_and_print_figure("bytes", "3");
        let expected = "\
| what           |  measured | budget |     |
| -------------- | --------- | ------ | --- |
| fold in memory | 41.25 M/s | 40 M/s | met |
| bytes          |         3 |        |     |
";
        assert_eq!(table.to_markdown(), expected);
    }
}
