//! The columns of a bar, and reading them. Nothing else of a bar is stored.

use std::sync::Arc;

use market::{Bar, BarRow, Decimal, EdgeTrade, Interval, Position, Window};
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::column::{read_bigint_bits_as_u64, read_parsed_numeric, read_timestamp_ns};
use super::database_error::DatabaseError;
use super::id_set_key::parse_trade_id;

/// The columns that name a bar.
pub(super) const KEY_COLUMNS: &str = "venue, symbol, interval_s, start";

/// The columns with the values of a bar.
pub(super) const VALUE_COLUMNS: [&str; 25] = [
    "open",
    "high",
    "low",
    "close",
    "volume",
    "buy_volume",
    "sell_volume",
    "notional",
    "trades",
    "revision",
    "through_epoch",
    "through_offset",
    "open_time_ns",
    "open_id",
    "open_scope",
    "open_epoch",
    "open_offset",
    "close_time_ns",
    "close_id",
    "close_scope",
    "close_epoch",
    "close_offset",
    "first_append_ns",
    "admitted",
    "provable",
];

/// Returns the length of an interval as the column `interval_s` holds it.
pub(super) fn interval_seconds(interval: Interval) -> i32 {
    let seconds = interval.length_ns() / market::SECOND_NS;
    i32::try_from(seconds).expect("no interval is longer than a day")
}

/// Reads a bar from consecutive columns that begin at `first_column`: `interval_s`, `start`,
/// [`VALUE_COLUMNS`] and `closed`.
pub(super) fn read_bar_row(row: &PgRow, first_column: usize) -> Result<BarRow, DatabaseError> {
    let value = first_column + 2;
    let seconds: i32 = row.try_get(first_column)?;
    let interval = Interval::ALL
        .into_iter()
        .find(|interval| interval_seconds(*interval) == seconds)
        .ok_or_else(|| DatabaseError::malformed_value("interval", seconds))?;
    Ok(BarRow {
        window: Window {
            interval,
            start_ns: read_timestamp_ns(row, first_column + 1)?,
        },
        bar: Bar {
            open: read_edge_trade(row, read_parsed_numeric(row, value, "open")?, value + 12)?,
            high: read_parsed_numeric(row, value + 1, "high")?,
            low: read_parsed_numeric(row, value + 2, "low")?,
            close: read_edge_trade(
                row,
                read_parsed_numeric(row, value + 3, "close")?,
                value + 17,
            )?,
            volume: read_parsed_numeric(row, value + 4, "volume")?,
            buy_volume: read_parsed_numeric(row, value + 5, "buy_volume")?,
            sell_volume: read_parsed_numeric(row, value + 6, "sell_volume")?,
            notional: read_parsed_numeric(row, value + 7, "notional")?,
            trades: read_bigint_bits_as_u64(row, value + 8)?,
            admitted: read_bigint_bits_as_u64(row, value + 23)?,
            first_append_ns: row.try_get(value + 22)?,
        },
        closed: row.try_get(value + VALUE_COLUMNS.len())?,
        revision: read_bigint_bits_as_u64(row, value + 9)?,
        provable: row.try_get(value + 24)?,
        through: read_position(row, value + 10)?,
    })
}

/// Reads a position from two consecutive columns.
fn read_position(row: &PgRow, first_column: usize) -> Result<Position, DatabaseError> {
    Ok(Position {
        epoch: read_bigint_bits_as_u64(row, first_column)?,
        offset: read_bigint_bits_as_u64(row, first_column + 1)?,
    })
}

/// Reads the first or the last trade from consecutive columns. Its price is in a column with the
/// other prices.
fn read_edge_trade(
    row: &PgRow,
    price: Decimal,
    first_column: usize,
) -> Result<EdgeTrade, DatabaseError> {
    let id: Option<&str> = row.try_get(first_column + 1)?;
    let scope: Option<&str> = row.try_get(first_column + 2)?;
    Ok(EdgeTrade {
        time_ns: row.try_get(first_column)?,
        id: id.map(parse_trade_id).transpose()?,
        scope: scope.map(Arc::from),
        position: read_position(row, first_column + 3)?,
        price,
    })
}
