//! Dead letters as a table.

use market::format_time;

use super::found::Found;

const HEAD: [&str; 6] = [
    "dead letter",
    "reason",
    "source",
    "append time",
    "key",
    "detail",
];

/// A line for each, in columns that line up. What is wide comes last.
pub(super) fn of(found: &[Found]) -> String {
    if found.is_empty() {
        return "there are no such dead letters\n".to_owned();
    }
    let mut rows = vec![HEAD.map(str::to_owned)];
    rows.extend(found.iter().map(row));
    let width = |column: usize| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or(0)
    };
    let widths: [usize; HEAD.len()] = std::array::from_fn(width);
    let line = |row: &[String; HEAD.len()]| {
        let cells = row.iter().zip(widths);
        let cells: Vec<_> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

fn row(found: &Found) -> [String; HEAD.len()] {
    let letter = &found.letter;
    [
        found.place.to_string(),
        letter.reason.code().to_owned(),
        format!("{}/{}", letter.partition, letter.position.offset),
        format_time(letter.append_time_ns),
        printable(&letter.key),
        letter.detail.clone(),
    ]
}

/// A key as text: what is not visible is escaped, so that no line breaks.
pub(super) fn printable(bytes: &[u8]) -> String {
    match bytes {
        [] => "(none)".to_owned(),
        bytes => bytes.escape_ascii().to_string(),
    }
}
