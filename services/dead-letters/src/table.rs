//! Dead letters as a table.

use market::format_time;

use super::found::Found;

/// What a cell shows of a key or a detail at most, in bytes.
const CELL_BYTES: usize = 256;

/// What a line shows of a dead letter.
pub(super) type Row = [String; HEAD.len()];

const HEAD: [&str; 6] = [
    "dead letter",
    "reason",
    "source",
    "append time",
    "key",
    "detail",
];

/// A line for each, in columns that line up. What is wide comes last.
pub(super) fn of(found: Vec<Row>) -> String {
    if found.is_empty() {
        return "there are no such dead letters\n".to_owned();
    }
    let mut rows = vec![HEAD.map(str::to_owned)];
    rows.extend(found);
    let width = |column: usize| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or(0)
    };
    let widths: [usize; HEAD.len()] = std::array::from_fn(width);
    let line = |row: &Row| {
        let cells = row.iter().zip(widths);
        let cells: Vec<_> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

/// The line of one.
pub(super) fn row(found: &Found) -> Row {
    let letter = &found.letter;
    [
        found.place.to_string(),
        letter.reason.code().to_owned(),
        format!("{}/{}", letter.partition, letter.position.offset),
        format_time(letter.append_time_ns),
        cut(printable(&letter.key)),
        cut(letter.detail.clone()),
    ]
}

fn cut(mut text: String) -> String {
    if text.len() > CELL_BYTES {
        text.truncate(text.floor_char_boundary(CELL_BYTES));
        text.push('…');
        text.shrink_to_fit();
    }
    text
}

/// A key as text: what is not visible is escaped, so that no line breaks.
pub(super) fn printable(bytes: &[u8]) -> String {
    match bytes {
        [] => "(none)".to_owned(),
        bytes => bytes.escape_ascii().to_string(),
    }
}
