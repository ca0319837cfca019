//! The table of the action `list`.

use host::{Align, TextTable};
use market::format_time;

use crate::topic_record::StoredDeadLetter;

/// The most bytes of a key or a detail that a cell shows.
const CELL_BYTES: usize = 256;

/// The cells of one dead letter.
pub(crate) type DeadLetterRow = [String; COLUMNS.len()];

/// The widest columns come last.
const COLUMNS: [&str; 6] = [
    "dead letter",
    "reason",
    "source",
    "append time",
    "key",
    "detail",
];

/// Formats a table with a line for each row.
pub(crate) fn format_table(rows: Vec<DeadLetterRow>) -> String {
    if rows.is_empty() {
        return "there are no such dead letters\n".to_owned();
    }
    let mut table = TextTable::with_header(COLUMNS.map(|name| (name, Align::Left)));
    for row in rows {
        table.push_row(row);
    }
    table.to_string()
}

/// Returns the cells of a dead letter.
pub(crate) fn dead_letter_row(stored: &StoredDeadLetter) -> DeadLetterRow {
    let letter = &stored.letter;
    [
        stored.location.to_string(),
        letter.reason.code().to_owned(),
        format!("{}/{}", letter.partition, letter.position.offset),
        format_time(letter.append_time_ns),
        shorten_cell(printable_key(&letter.key)),
        shorten_cell(letter.detail.clone()),
    ]
}

fn shorten_cell(mut text: String) -> String {
    if text.len() > CELL_BYTES {
        text.truncate(text.floor_char_boundary(CELL_BYTES));
        text.push('…');
        text.shrink_to_fit();
    }
    text
}

/// Returns a key as text. Characters that are not visible are escaped, so that no line breaks.
pub(crate) fn printable_key(bytes: &[u8]) -> String {
    match bytes {
        [] => "(none)".to_owned(),
        bytes => bytes.escape_ascii().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{dead_letter_row, format_table};
    use crate::test_topic::{dead_letter, location};
    use crate::topic_record::StoredDeadLetter;

    #[test]
    fn columns_line_up_and_lines_end_without_spaces() {
        let stored = |text: &str, offset, detail: &str| StoredDeadLetter {
            location: location(text),
            append_time_ns: 0,
            letter: schemas::DeadLetter {
                detail: detail.to_owned(),
                ..dead_letter(offset, "v:A")
            },
        };
        let rows = vec![
            dead_letter_row(&stored("0/12", 7, "")),
            dead_letter_row(&stored("1/3", 100, "its key is of partition 2")),
        ];
        let expected = "\
dead letter  reason     source  append time                     key  detail
0/12         misrouted  0/7     1970-01-01T00:00:00.000000005Z  v:A
1/3          misrouted  0/100   1970-01-01T00:00:00.000000005Z  v:A  its key is of partition 2
";
        assert_eq!(format_table(rows), expected);
        assert_eq!(format_table(Vec::new()), "there are no such dead letters\n");
    }
}
