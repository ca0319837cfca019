//! Reading rows of the small tables.

use market::{Position, Venue, VenueSettings};
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::column::{
    read_bigint_bits_as_u64, read_parsed_numeric, read_parsed_text, read_partition,
};
use super::database_error::DatabaseError;
use crate::{ExcludedRange, PartitionProgress, SymbolRow, TickVerdict, VenueRow};

/// Reads partition, epoch, `next_offset`, `updates_epoch`, `updates_offset`, `append_time_ns`.
pub(super) fn read_progress(row: &PgRow) -> Result<PartitionProgress, DatabaseError> {
    Ok(PartitionProgress {
        partition: read_partition(row, 0)?,
        epoch: read_bigint_bits_as_u64(row, 1)?,
        next_offset: read_bigint_bits_as_u64(row, 2)?,
        updates_position: Position {
            epoch: read_bigint_bits_as_u64(row, 3)?,
            offset: read_bigint_bits_as_u64(row, 4)?,
        },
        append_time_ns: row.try_get(5)?,
    })
}

/// Reads instrument, `watermark_ns`, `last_append_ns`, `closed_until_ns`, `newest_minute_ns`.
pub(super) fn read_symbol(row: &PgRow) -> Result<SymbolRow, DatabaseError> {
    Ok(SymbolRow {
        instrument: read_parsed_text(row, 0, "instrument")?,
        watermark_ns: row.try_get(1)?,
        last_append_ns: row.try_get(2)?,
        closed_until_ns: row.try_get(3)?,
        newest_minute_ns: row.try_get(4)?,
    })
}

/// Reads a number of rows.
pub(super) fn read_count(row: &PgRow) -> Result<usize, DatabaseError> {
    let count: i64 = row.try_get(0)?;
    Ok(usize::try_from(count).unwrap_or_default())
}

/// Reads venue, scheme, scope, ties, `lateness_ns`, `idle_ns`, `nonpositive_prices`, `old_times`,
/// `retired`, `declared_epoch`, `declared_offset`.
pub(super) fn read_venue(row: &PgRow) -> Result<VenueRow, DatabaseError> {
    let venue: Venue = read_parsed_text(row, 0, "venue")?;
    let settings = VenueSettings {
        scheme: read_parsed_text(row, 1, "scheme")?,
        scope: read_parsed_text(row, 2, "scope")?,
        ties: read_parsed_text(row, 3, "ties")?,
        lateness_ns: row.try_get(4)?,
        idle_ns: row.try_get(5)?,
        nonpositive_prices: row.try_get(6)?,
        old_times: row.try_get(7)?,
        retired: row.try_get(8)?,
    };
    Ok(VenueRow {
        venue,
        settings,
        declared_at: Position {
            epoch: read_bigint_bits_as_u64(row, 9)?,
            offset: read_bigint_bits_as_u64(row, 10)?,
        },
    })
}

/// Reads epoch, `first_offset`, `end_offset`, verdict, `append_time_ns`.
pub(super) fn read_excluded_range(row: &PgRow) -> Result<ExcludedRange, DatabaseError> {
    let code: &str = row.try_get(3)?;
    let verdict = TickVerdict::from_code(code);
    Ok(ExcludedRange {
        epoch: read_bigint_bits_as_u64(row, 0)?,
        first_offset: read_parsed_numeric(row, 1, "first_offset")?,
        end_offset: read_parsed_numeric(row, 2, "end_offset")?,
        verdict: verdict.ok_or_else(|| DatabaseError::malformed_value("verdict", code))?,
        append_time_ns: row.try_get(4)?,
    })
}
