//! Writing one transaction of a partition.

use sqlx::{PgConnection, query};

use super::chunk_tables::ChunkLockPolicy;
use super::column::{column_for_unnest, partition_as_integer, u64_as_numeric, u64_bits_as_bigint};
use super::database_error::DatabaseError;
use super::{amendments, id_sets, write_bars};
use crate::last_rows::last_row_of_each_key;
use crate::{CommitOutcome, ExcludedRange, PartitionTransaction};

const ADVANCE_PROGRESS: &str = "UPDATE partition_progress SET epoch = $1, next_offset = $2, \
    updates_epoch = $3, updates_offset = $4, append_time_ns = $5 \
    WHERE partition = $6 AND epoch = $7 AND next_offset = $8";

const UPSERT_SYMBOLS: &str = "INSERT INTO symbols \
    (partition, instrument, watermark_ns, last_append_ns, closed_until_ns, newest_minute_ns) \
    SELECT $1, * FROM unnest($2, $3, $4, $5, $6) \
    ON CONFLICT (instrument) DO UPDATE SET partition = excluded.partition, \
    watermark_ns = excluded.watermark_ns, last_append_ns = excluded.last_append_ns, \
    closed_until_ns = excluded.closed_until_ns, newest_minute_ns = excluded.newest_minute_ns";

const UPSERT_VENUE: &str = "INSERT INTO venues \
    (partition, venue, scheme, scope, ties, lateness_ns, idle_ns, nonpositive_prices, old_times, \
    retired, declared_epoch, declared_offset) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
    ON CONFLICT (partition, venue) DO UPDATE SET scheme = excluded.scheme, \
    scope = excluded.scope, ties = excluded.ties, lateness_ns = excluded.lateness_ns, \
    idle_ns = excluded.idle_ns, nonpositive_prices = excluded.nonpositive_prices, \
    old_times = excluded.old_times, retired = excluded.retired, declared_epoch = excluded.declared_epoch, \
    declared_offset = excluded.declared_offset";

macro_rules! upsert_excluded_ranges_into {
    ($table:literal) => {
        concat!(
            "INSERT INTO ",
            $table,
            " (partition, epoch, first_offset, end_offset, verdict, append_time_ns) \
             SELECT $1, * FROM unnest($2, $3, $4, $5, $6) \
             ON CONFLICT (partition, epoch, first_offset) DO UPDATE SET \
             end_offset = excluded.end_offset, verdict = excluded.verdict, \
             append_time_ns = excluded.append_time_ns"
        )
    };
}

const UPSERT_EXCLUDED_RANGES: &str = upsert_excluded_ranges_into!("excluded_ranges");
const UPSERT_EXCLUDED_AMENDMENTS: &str = upsert_excluded_ranges_into!("excluded_amendments");

/// Writes a transaction of the store, inside a transaction of the database.
///
/// The progress row is updated before any other row that other sessions can see. If it is not
/// where `transaction` expects it, nothing else is written. The lock on the row makes another owner
/// of the partition wait until this database transaction has ended. It writes closed bars to
/// as many chunks as `policy` allows.
pub(super) async fn write_transaction_without_commit(
    session: &mut PgConnection,
    transaction: &PartitionTransaction,
    policy: ChunkLockPolicy,
) -> Result<CommitOutcome, DatabaseError> {
    let bars = last_row_of_each_key(&transaction.bars, |bar| {
        (bar.instrument.key(), bar.row.window)
    });
    let counts = write_bars::stage_bars(session, &bars, policy.max_chunks).await?;
    if !try_advance_progress(session, transaction).await? {
        return Ok(CommitOutcome::Conflict);
    }
    let partition = transaction.progress.partition;
    write_bars::write_staged_bars(session, partition, &bars, counts, policy).await?;
    write_symbols(session, transaction).await?;
    write_venues(session, transaction).await?;
    id_sets::write_id_sets(session, &transaction.id_sets).await?;
    let tables = [
        (UPSERT_EXCLUDED_RANGES, &transaction.excluded_ranges),
        (UPSERT_EXCLUDED_AMENDMENTS, &transaction.excluded_amendments),
    ];
    for (upsert, ranges) in tables {
        write_excluded_ranges(session, upsert, partition, ranges).await?;
    }
    amendments::write_dirty_minute_changes(session, transaction).await?;
    amendments::write_pending_amendments(session, transaction).await?;
    Ok(CommitOutcome::Committed)
}

/// Updates the progress row. Returns whether it was at the expected position.
async fn try_advance_progress(
    session: &mut PgConnection,
    transaction: &PartitionTransaction,
) -> Result<bool, DatabaseError> {
    let progress = &transaction.progress;
    let update = query(ADVANCE_PROGRESS)
        .bind(u64_bits_as_bigint(progress.epoch))
        .bind(u64_bits_as_bigint(progress.next_offset))
        .bind(u64_bits_as_bigint(progress.updates_position.epoch))
        .bind(u64_bits_as_bigint(progress.updates_position.offset))
        .bind(progress.append_time_ns)
        .bind(partition_as_integer(progress.partition)?)
        .bind(u64_bits_as_bigint(transaction.expected.epoch))
        .bind(u64_bits_as_bigint(transaction.expected.offset));
    Ok(update.execute(session).await?.rows_affected() > 0)
}

async fn write_symbols(
    session: &mut PgConnection,
    transaction: &PartitionTransaction,
) -> Result<(), DatabaseError> {
    let rows = &last_row_of_each_key(&transaction.symbols, |row| row.instrument.key());
    if rows.is_empty() {
        return Ok(());
    }
    let upsert = query(UPSERT_SYMBOLS)
        .bind(partition_as_integer(transaction.progress.partition)?)
        .bind(column_for_unnest(rows, |row| row.instrument.key()))
        .bind(column_for_unnest(rows, |row| row.watermark_ns))
        .bind(column_for_unnest(rows, |row| row.last_append_ns))
        .bind(column_for_unnest(rows, |row| row.closed_until_ns))
        .bind(column_for_unnest(rows, |row| row.newest_minute_ns));
    upsert.execute(session).await?;
    Ok(())
}

async fn write_venues(
    session: &mut PgConnection,
    transaction: &PartitionTransaction,
) -> Result<(), DatabaseError> {
    for row in &transaction.venues {
        let upsert = query(UPSERT_VENUE)
            .bind(partition_as_integer(transaction.progress.partition)?)
            .bind(row.venue.as_str())
            .bind(row.settings.scheme.name())
            .bind(row.settings.scope.name())
            .bind(row.settings.ties.name())
            .bind(row.settings.lateness_ns)
            .bind(row.settings.idle_ns)
            .bind(row.settings.nonpositive_prices)
            .bind(row.settings.old_times)
            .bind(row.settings.retired)
            .bind(u64_bits_as_bigint(row.declared_at.epoch))
            .bind(u64_bits_as_bigint(row.declared_at.offset));
        upsert.execute(&mut *session).await?;
    }
    Ok(())
}

/// Writes excluded ranges with one of the statements made by `upsert_excluded_ranges_into`.
async fn write_excluded_ranges(
    session: &mut PgConnection,
    upsert: &'static str,
    partition: u32,
    ranges: &[ExcludedRange],
) -> Result<(), DatabaseError> {
    let rows = &last_row_of_each_key(ranges, |row| (row.epoch, row.first_offset));
    if rows.is_empty() {
        return Ok(());
    }
    let upsert = query(upsert)
        .bind(partition_as_integer(partition)?)
        .bind(column_for_unnest(rows, |row| u64_bits_as_bigint(row.epoch)))
        .bind(column_for_unnest(rows, |row| {
            u64_as_numeric(row.first_offset)
        }))
        .bind(column_for_unnest(rows, |row| {
            u64_as_numeric(row.end_offset)
        }))
        .bind(column_for_unnest(rows, |row| row.verdict.code()))
        .bind(column_for_unnest(rows, |row| row.append_time_ns));
    upsert.execute(session).await?;
    Ok(())
}
