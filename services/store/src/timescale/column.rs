//! Conversions between values and the columns that hold them.

use std::str::FromStr;

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::database_error::DatabaseError;
use super::numeric::Numeric;
use super::timestamptz::Timestamptz;

/// Converts a number that the database never orders by into a BIGINT with the same bits.
pub(super) const fn u64_bits_as_bigint(value: u64) -> i64 {
    value.cast_signed()
}

/// Reads a BIGINT that [`u64_bits_as_bigint`] converted.
pub(super) fn read_bigint_bits_as_u64(row: &PgRow, column: usize) -> Result<u64, DatabaseError> {
    Ok(row.try_get::<i64, _>(column)?.cast_unsigned())
}

/// Converts a number that the database orders by into a NUMERIC.
pub(super) fn u64_as_numeric(value: u64) -> Numeric {
    Numeric(value.to_string())
}

/// Reads a NUMERIC and parses its text: a number, a decimal or an exact sum. `name` names the value
/// in an error.
pub(super) fn read_parsed_numeric<T: FromStr>(
    row: &PgRow,
    column: usize,
    name: &'static str,
) -> Result<T, DatabaseError> {
    let Numeric(text) = row.try_get(column)?;
    text.parse()
        .map_err(|_| DatabaseError::malformed_value(name, text))
}

/// Converts the number of a partition into an INTEGER.
pub(super) fn partition_as_integer(partition: u32) -> Result<i32, DatabaseError> {
    i32::try_from(partition).map_err(|_| DatabaseError::malformed_value("partition", partition))
}

/// Reads an INTEGER that [`partition_as_integer`] converted.
pub(super) fn read_partition(row: &PgRow, column: usize) -> Result<u32, DatabaseError> {
    let value: i32 = row.try_get(column)?;
    u32::try_from(value).map_err(|_| DatabaseError::malformed_value("partition", value))
}

/// Reads a TIMESTAMPTZ as UTC nanoseconds.
pub(super) fn read_timestamp_ns(row: &PgRow, column: usize) -> Result<i64, DatabaseError> {
    row.try_get::<Timestamptz, _>(column)?.to_ns()
}

/// Reads a TEXT and parses it. `name` names the value in an error.
pub(super) fn read_parsed_text<T: FromStr>(
    row: &PgRow,
    column: usize,
    name: &'static str,
) -> Result<T, DatabaseError> {
    let text: &str = row.try_get(column)?;
    text.parse()
        .map_err(|_| DatabaseError::malformed_value(name, text))
}

/// Returns one column of some rows, to be bound to a parameter of `unnest`.
pub(super) fn column_for_unnest<'a, R, V>(rows: &'a [R], value: impl Fn(&'a R) -> V) -> Vec<V> {
    rows.iter().map(value).collect()
}
