//! Rows as values.

use market::{Position, Venue, VenueSettings};
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::column::{read_bits, read_number, read_parsed, read_partition};
use super::failure::Failure;
use crate::{ExcludedRange, PartitionProgress, SymbolRow, VenueRow, Verdict};

/// partition, epoch, `next_offset`, `updates_epoch`, `updates_offset`, `append_time_ns`.
pub(super) fn progress(row: &PgRow) -> Result<PartitionProgress, Failure> {
    Ok(PartitionProgress {
        partition: read_partition(row, 0)?,
        epoch: read_bits(row, 1)?,
        next_offset: read_bits(row, 2)?,
        updates_position: Position {
            epoch: read_bits(row, 3)?,
            offset: read_bits(row, 4)?,
        },
        append_time_ns: row.try_get(5)?,
    })
}

/// instrument, `watermark_ns`, `last_append_ns`, `closed_until_ns`.
pub(super) fn symbol(row: &PgRow) -> Result<SymbolRow, Failure> {
    Ok(SymbolRow {
        instrument: read_parsed(row, 0, "instrument")?,
        watermark_ns: row.try_get(1)?,
        last_append_ns: row.try_get(2)?,
        closed_until_ns: row.try_get(3)?,
    })
}

/// venue, scheme, scope, `lateness_ns`, `idle_ns`, `nonpositive_prices`.
pub(super) fn venue(row: &PgRow) -> Result<VenueRow, Failure> {
    let venue: Venue = read_parsed(row, 0, "venue")?;
    let settings = VenueSettings {
        scheme: read_parsed(row, 1, "scheme")?,
        scope: read_parsed(row, 2, "scope")?,
        lateness_ns: row.try_get(3)?,
        idle_ns: row.try_get(4)?,
        nonpositive_prices: row.try_get(5)?,
    };
    Ok(VenueRow { venue, settings })
}

/// epoch, `first_offset`, `end_offset`, verdict, `append_time_ns`.
pub(super) fn rejected(row: &PgRow) -> Result<ExcludedRange, Failure> {
    let code: &str = row.try_get(3)?;
    Ok(ExcludedRange {
        epoch: read_bits(row, 0)?,
        first_offset: read_number(row, 1, "first_offset")?,
        end_offset: read_number(row, 2, "end_offset")?,
        verdict: Verdict::from_code(code).ok_or_else(|| Failure::malformed("verdict", code))?,
        append_time_ns: row.try_get(4)?,
    })
}
