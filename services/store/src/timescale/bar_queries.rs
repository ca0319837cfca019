//! The statements that select bars, from all of their tables.
//!
//! A closed bar may have a row in `bars` and one in `scattered_bars`, of which the latter counts.

use std::sync::LazyLock;

use super::bar_columns::VALUE_COLUMNS;

/// The tables of bars, each with whether its bars are closed, and with a number that is greater for
/// the row that counts if a bar has two.
const TABLES: [(&str, &str, &str); 3] = [
    ("bars", "TRUE", "0"),
    ("scattered_bars", "TRUE", "1"),
    ("open_bars", "FALSE", "1"),
];

/// Selects bars by their keys, of which those that start in `[$5, $6)`. Of two rows of one bar, the
/// second counts.
pub(super) static SELECT_BARS: LazyLock<String> = LazyLock::new(|| {
    let selects = TABLES.map(|(table, closed, precedence)| {
        let values = VALUE_COLUMNS.map(|column| format!("b.{column}")).join(", ");
        format!(
            "SELECT k.key_index, b.interval_s, b.start, {values}, {closed}, \
             {precedence} AS precedence FROM keys AS k \
             JOIN {table} AS b ON b.venue = k.venue AND b.symbol = k.symbol \
             AND b.interval_s = k.interval_s AND b.start = k.start \
             WHERE b.start >= $5 AND b.start < $6"
        )
    });
    format!(
        "WITH keys AS MATERIALIZED (SELECT * FROM unnest($1, $2, $3, $4) WITH ORDINALITY \
         AS k (venue, symbol, interval_s, start, key_index)) {} ORDER BY precedence",
        selects.join(" UNION ALL ")
    )
});

pub(super) static SELECT_OLDEST_BARS: LazyLock<String> = LazyLock::new(|| select_bar_range("ASC"));
pub(super) static SELECT_NEWEST_BARS: LazyLock<String> = LazyLock::new(|| select_bar_range("DESC"));

/// Returns the statement that selects a range of bars. Each of its parts has a limit of its own, so
/// no chunk is read beyond the limit. Of two rows of one bar, the first counts.
fn select_bar_range(order: &str) -> String {
    let values = VALUE_COLUMNS.join(", ");
    let selects = TABLES.map(|(table, closed, precedence)| {
        format!(
            "(SELECT interval_s, start, {values}, {closed} AS closed, {precedence} AS precedence \
             FROM {table} \
             WHERE venue = $1 AND symbol = $2 AND interval_s = $3 AND start >= $4 AND start < $5 \
             ORDER BY start {order} LIMIT $6)"
        )
    });
    format!(
        "{} ORDER BY start {order}, precedence DESC",
        selects.join(" UNION ALL ")
    )
}
