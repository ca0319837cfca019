//! Tables of text, as the tools print them.

use std::fmt;

/// The alignment of a cell in its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// Rows of cells whose columns line up. Each column is as wide as its widest cell, counted in
/// characters.
///
/// [`Display`](fmt::Display) writes a line for each row, with two spaces between columns and no
/// spaces at the end of a line.
#[derive(Debug, Clone)]
pub struct TextTable {
    alignments: Vec<Align>,
    rows: Vec<Vec<String>>,
}

impl TextTable {
    /// Creates an empty table without a header.
    pub fn new(alignments: impl IntoIterator<Item = Align>) -> Self {
        Self {
            alignments: alignments.into_iter().collect(),
            rows: Vec::new(),
        }
    }

    /// Creates a table whose first row holds the names of its columns.
    pub fn with_header<'a>(columns: impl IntoIterator<Item = (&'a str, Align)>) -> Self {
        let (names, alignments): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
        let mut table = Self::new(alignments);
        table.push_row(names);
        table
    }

    /// Adds a row.
    ///
    /// # Panics
    /// If the row does not have as many cells as the table has columns.
    pub fn push_row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        let row: Vec<String> = cells.into_iter().map(Into::into).collect();
        assert_eq!(row.len(), self.alignments.len(), "a cell for each column");
        self.rows.push(row);
    }

    /// Returns the table in Markdown. Its first row is the header.
    pub fn to_markdown(&self) -> String {
        let widths = self.column_widths();
        let rule: Vec<_> = widths.iter().map(|width| "-".repeat(*width)).collect();
        let mut lines: Vec<_> = self
            .rows
            .iter()
            .map(|row| format!("| {} |\n", self.padded_cells(row, &widths).join(" | ")))
            .collect();
        lines.insert(lines.len().min(1), format!("| {} |\n", rule.join(" | ")));
        lines.concat()
    }

    fn column_widths(&self) -> Vec<usize> {
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].chars().count());
            cells.max().unwrap_or(0)
        };
        (0..self.alignments.len()).map(width).collect()
    }

    fn padded_cells(&self, row: &[String], widths: &[usize]) -> Vec<String> {
        let cells = row.iter().zip(widths).zip(&self.alignments);
        cells
            .map(|((cell, width), align)| match align {
                Align::Left => format!("{cell:<width$}"),
                Align::Right => format!("{cell:>width$}"),
            })
            .collect()
    }
}

impl fmt::Display for TextTable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.column_widths();
        for row in &self.rows {
            let line = self.padded_cells(row, &widths).join("  ");
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// Formats a count with thousands separators, such as `1,234,567`.
pub fn format_count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Align, TextTable, format_count};

    fn tapes() -> TextTable {
        let mut table = TextTable::with_header([
            ("tape", Align::Left),
            ("trades", Align::Right),
            ("", Align::Left),
        ]);
        table.push_row(["größe.csv", "1,200", "met"]);
        table.push_row(["a", "7", ""]);
        table
    }

    #[test]
    fn columns_line_up_and_lines_end_without_spaces() {
        let expected = "\
tape       trades
größe.csv   1,200  met
a               7
";
        assert_eq!(tapes().to_string(), expected);
    }

    #[test]
    fn a_table_without_a_header_has_only_its_rows() {
        let mut table = TextTable::new([Align::Left, Align::Right]);
        assert_eq!(table.to_string(), "");
        table.push_row(["symbols", "1"]);
        table.push_row(["ticks read", "43,342"]);
        assert_eq!(
            table.to_string(),
            "symbols          1\nticks read  43,342\n"
        );
    }

    #[test]
    fn a_markdown_table_has_a_rule_below_its_header() {
        let expected = "\
| tape      | trades |     |
| --------- | ------ | --- |
| größe.csv |  1,200 | met |
| a         |      7 |     |
";
        assert_eq!(tapes().to_markdown(), expected);
    }

    #[test]
    #[should_panic(expected = "a cell for each column")]
    fn a_row_with_a_missing_cell_panics() {
        tapes().push_row(["a"]);
    }

    #[test]
    fn counts_have_a_comma_between_each_three_digits() {
        let cases = [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (123_456, "123,456"),
            (1_234_567, "1,234,567"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ];
        for (count, expected) in cases {
            assert_eq!(format_count(count), expected);
        }
    }
}
