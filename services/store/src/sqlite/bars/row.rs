//! Rows as values.

use market::{BarRow, Position, Venue, VenueSettings, Window};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::sqlite::column::{read_parsed, read_partition, read_unsigned};
use crate::sqlite::failure::Failure;
use crate::{ExcludedRange, PartitionProgress, SymbolRow, VenueRow, Verdict};

/// The length of a window as a column.
pub(super) const fn seconds(window: Window) -> i64 {
    window.interval.length_ns() / market::SECOND_NS
}

/// partition, epoch, `next_offset`, `updates_epoch`, `updates_offset`, `append_time_ns`.
pub(super) fn progress(row: &SqliteRow) -> Result<PartitionProgress, Failure> {
    Ok(PartitionProgress {
        partition: read_partition(row, 0)?,
        epoch: read_unsigned(row, 1)?,
        next_offset: read_unsigned(row, 2)?,
        updates_position: Position {
            epoch: read_unsigned(row, 3)?,
            offset: read_unsigned(row, 4)?,
        },
        append_time_ns: row.try_get(5)?,
    })
}

/// instrument, `watermark_ns`, `last_append_ns`, `closed_until_ns`.
pub(super) fn symbol(row: &SqliteRow) -> Result<SymbolRow, Failure> {
    Ok(SymbolRow {
        instrument: read_parsed(row, 0, "instrument")?,
        watermark_ns: row.try_get(1)?,
        last_append_ns: row.try_get(2)?,
        closed_until_ns: row.try_get(3)?,
    })
}

/// venue, scheme, scope, `lateness_ns`, `idle_ns`, `nonpositive_prices`.
pub(super) fn venue(row: &SqliteRow) -> Result<VenueRow, Failure> {
    let venue: Venue = read_parsed(row, 0, "venue")?;
    let nonpositive: i64 = row.try_get(5)?;
    let settings = VenueSettings {
        scheme: read_parsed(row, 1, "scheme")?,
        scope: read_parsed(row, 2, "scope")?,
        lateness_ns: row.try_get(3)?,
        idle_ns: row.try_get(4)?,
        nonpositive_prices: nonpositive != 0,
    };
    Ok(VenueRow { venue, settings })
}

/// epoch, `first_offset`, `end_offset`, verdict, `append_time_ns`.
pub(super) fn excluded_range(row: &SqliteRow) -> Result<ExcludedRange, Failure> {
    let code: &str = row.try_get(3)?;
    Ok(ExcludedRange {
        epoch: read_unsigned(row, 0)?,
        first_offset: read_unsigned(row, 1)?,
        end_offset: read_unsigned(row, 2)?,
        verdict: Verdict::from_code(code).ok_or_else(|| Failure::malformed("verdict", code))?,
        append_time_ns: row.try_get(4)?,
    })
}

/// A bar's body in a column, with the interval and start of its key in the two before.
pub(super) fn bar(row: &SqliteRow, body: usize) -> Result<BarRow, Failure> {
    let (interval, start_ns): (i64, i64) = (row.try_get(body - 2)?, row.try_get(body - 1)?);
    let bar = schemas::decode_bar_row(row.try_get(body)?)?;
    if (seconds(bar.window), bar.window.start_ns) != (interval, start_ns) {
        let found = format!("{} at {}", bar.window.interval, bar.window.start_ns);
        return Err(Failure::malformed("window", found));
    }
    Ok(bar)
}
