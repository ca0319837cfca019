//! Reading rows into values.

use market::{BarRow, Position, Venue, VenueSettings, Window};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::sqlite::column::{read_ordered_u64, read_parsed_text, read_partition};
use crate::sqlite::database_error::DatabaseError;
use crate::state::{ExcludedRange, PartitionProgress, SymbolRow, TickVerdict, VenueRow};

/// Returns the interval of a window in seconds, as it is stored.
pub(super) const fn interval_seconds(window: Window) -> i64 {
    window.interval.length_ns() / market::SECOND_NS
}

/// Reads the columns partition, epoch, `next_offset`, `updates_epoch`, `updates_offset`,
/// `append_time_ns`.
pub(super) fn read_progress(row: &SqliteRow) -> Result<PartitionProgress, DatabaseError> {
    Ok(PartitionProgress {
        partition: read_partition(row, 0)?,
        epoch: read_ordered_u64(row, 1)?,
        next_offset: read_ordered_u64(row, 2)?,
        updates_position: Position {
            epoch: read_ordered_u64(row, 3)?,
            offset: read_ordered_u64(row, 4)?,
        },
        append_time_ns: row.try_get(5)?,
    })
}

/// Reads the columns instrument, `watermark_ns`, `last_append_ns`, `closed_until_ns`,
/// `newest_minute_ns`.
pub(super) fn read_symbol(row: &SqliteRow) -> Result<SymbolRow, DatabaseError> {
    Ok(SymbolRow {
        instrument: read_parsed_text(row, 0, "instrument")?,
        watermark_ns: row.try_get(1)?,
        last_append_ns: row.try_get(2)?,
        closed_until_ns: row.try_get(3)?,
        newest_minute_ns: row.try_get(4)?,
    })
}

/// Reads a number of rows.
pub(super) fn read_count(row: &SqliteRow) -> Result<usize, DatabaseError> {
    let count: i64 = row.try_get(0)?;
    Ok(usize::try_from(count).unwrap_or_default())
}

/// Reads the columns venue, scheme, scope, ties, `lateness_ns`, `idle_ns`, `nonpositive_prices`,
/// `old_times`, `retired`, `declared_epoch`, `declared_offset`.
pub(super) fn read_venue(row: &SqliteRow) -> Result<VenueRow, DatabaseError> {
    let venue: Venue = read_parsed_text(row, 0, "venue")?;
    let nonpositive: i64 = row.try_get(6)?;
    let old_times: i64 = row.try_get(7)?;
    let retired: i64 = row.try_get(8)?;
    let settings = VenueSettings {
        scheme: read_parsed_text(row, 1, "scheme")?,
        scope: read_parsed_text(row, 2, "scope")?,
        ties: read_parsed_text(row, 3, "ties")?,
        lateness_ns: row.try_get(4)?,
        idle_ns: row.try_get(5)?,
        nonpositive_prices: nonpositive != 0,
        old_times: old_times != 0,
        retired: retired != 0,
    };
    Ok(VenueRow {
        venue,
        settings,
        declared_at: Position {
            epoch: read_ordered_u64(row, 9)?,
            offset: read_ordered_u64(row, 10)?,
        },
    })
}

/// Reads the columns epoch, `first_offset`, `end_offset`, verdict, `append_time_ns`.
pub(super) fn read_excluded_range(row: &SqliteRow) -> Result<ExcludedRange, DatabaseError> {
    let code: &str = row.try_get(3)?;
    Ok(ExcludedRange {
        epoch: read_ordered_u64(row, 0)?,
        first_offset: read_ordered_u64(row, 1)?,
        end_offset: read_ordered_u64(row, 2)?,
        verdict: TickVerdict::from_code(code)
            .ok_or_else(|| DatabaseError::malformed_value("verdict", code))?,
        append_time_ns: row.try_get(4)?,
    })
}

/// Reads a bar from the column with its body. The two columns before it must be the interval and
/// the start of its key.
pub(super) fn read_bar(row: &SqliteRow, body_column: usize) -> Result<BarRow, DatabaseError> {
    let (interval, start_ns): (i64, i64) =
        (row.try_get(body_column - 2)?, row.try_get(body_column - 1)?);
    let bar = schemas::decode_bar_row(row.try_get(body_column)?)?;
    if (interval_seconds(bar.window), bar.window.start_ns) != (interval, start_ns) {
        let found = format!("{} at {}", bar.window.interval, bar.window.start_ns);
        return Err(DatabaseError::malformed_value("window", found));
    }
    Ok(bar)
}
