//! Conversions between values and columns.

use std::str::FromStr;

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::database_error::DatabaseError;

/// Returns an unsigned number as a column, in offset binary: columns are signed, and this keeps the
/// order.
pub(super) const fn u64_as_ordered_column(value: u64) -> i64 {
    (value ^ (1 << 63)).cast_signed()
}

/// Reads what [`u64_as_ordered_column`] wrote.
pub(super) fn read_ordered_u64(row: &SqliteRow, column: usize) -> Result<u64, DatabaseError> {
    let value: i64 = row.try_get(column)?;
    Ok(u64_from_ordered_column(value))
}

/// Returns the number that [`u64_as_ordered_column`] wrote.
pub(super) const fn u64_from_ordered_column(column: i64) -> u64 {
    column.cast_unsigned() ^ (1 << 63)
}

/// Reads the number of a partition.
pub(super) fn read_partition(row: &SqliteRow, column: usize) -> Result<u32, DatabaseError> {
    let value: i64 = row.try_get(column)?;
    u32::try_from(value).map_err(|_| DatabaseError::malformed_value("partition", value))
}

/// Reads a text and parses it; `name` names the column in errors.
pub(super) fn read_parsed_text<T: FromStr>(
    row: &SqliteRow,
    column: usize,
    name: &'static str,
) -> Result<T, DatabaseError> {
    let text: &str = row.try_get(column)?;
    text.parse()
        .map_err(|_| DatabaseError::malformed_value(name, text))
}

#[cfg(test)]
mod tests {
    use super::u64_as_ordered_column;

    #[test]
    fn offset_binary_keeps_the_order() {
        let values = [0, 1, (1 << 63) - 1, 1 << 63, (1 << 63) + 1, u64::MAX];
        assert!(values.is_sorted_by_key(|value| u64_as_ordered_column(*value)));
        assert_eq!(
            (u64_as_ordered_column(0), u64_as_ordered_column(u64::MAX)),
            (i64::MIN, i64::MAX)
        );
    }
}
