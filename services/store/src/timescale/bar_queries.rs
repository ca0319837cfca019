//! The statements that select bars, from both of their tables.

use std::sync::LazyLock;

use super::bar_columns::VALUE_COLUMNS;

/// Selects bars by their keys. The bounds of the start restrict the statement to the chunks between
/// them.
pub(super) static SELECT_BARS: LazyLock<String> = LazyLock::new(|| {
    let select_from = |table, closed| {
        let values = VALUE_COLUMNS.map(|column| format!("b.{column}")).join(", ");
        format!(
            "SELECT k.key_index, b.interval_s, b.start, {values}, {closed} FROM keys AS k \
             JOIN {table} AS b ON b.venue = k.venue AND b.symbol = k.symbol \
             AND b.interval_s = k.interval_s AND b.start = k.start \
             WHERE b.start >= $5 AND b.start <= $6"
        )
    };
    format!(
        "WITH keys AS MATERIALIZED (SELECT * FROM unnest($1, $2, $3, $4) WITH ORDINALITY \
         AS k (venue, symbol, interval_s, start, key_index)) {} UNION ALL {}",
        select_from("open_bars", "FALSE"),
        select_from("bars", "TRUE")
    )
});

pub(super) static SELECT_OLDEST_BARS: LazyLock<String> = LazyLock::new(|| select_bar_range("ASC"));
pub(super) static SELECT_NEWEST_BARS: LazyLock<String> = LazyLock::new(|| select_bar_range("DESC"));

/// Returns the statement that selects a range of bars. Each of its two parts has a limit of its
/// own, so no chunk is read beyond the limit.
fn select_bar_range(order: &str) -> String {
    let values = VALUE_COLUMNS.join(", ");
    let select_from = |table, closed| {
        format!(
            "(SELECT interval_s, start, {values}, {closed} AS closed FROM {table} \
             WHERE venue = $1 AND symbol = $2 AND interval_s = $3 AND start >= $4 AND start < $5 \
             ORDER BY start {order} LIMIT $6)"
        )
    };
    let open = select_from("open_bars", "FALSE");
    let closed = select_from("bars", "TRUE");
    format!("{closed} UNION ALL {open} ORDER BY start {order} LIMIT $6")
}
