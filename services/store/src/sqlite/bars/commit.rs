//! Writing a transaction.

use std::sync::LazyLock;

use sqlx::{SqliteConnection, query};

use super::{amendments, id_sets, row};
use crate::bar_store::CommitOutcome;
use crate::last_rows::last_row_of_each_key;
use crate::sqlite::column::u64_as_ordered_column;
use crate::sqlite::database_error::DatabaseError;
use crate::sqlite::row_batches::{BatchedStatement, BoundQuery};
use crate::state::{PartitionTransaction, StoredBar};

pub(super) static UPSERT_OPEN_BARS: LazyLock<BatchedStatement> = LazyLock::new(|| {
    BatchedStatement::new(
        "INSERT INTO open_bars (instrument, interval, start_ns, first_append_ns, body, partition)",
        6,
        "ON CONFLICT (instrument, interval, start_ns) DO UPDATE SET \
         first_append_ns = excluded.first_append_ns, body = excluded.body, \
         partition = excluded.partition",
    )
});

pub(super) static UPSERT_BARS: LazyLock<BatchedStatement> = LazyLock::new(|| {
    BatchedStatement::new(
        "INSERT INTO bars (instrument, interval, start_ns, first_append_ns, body)",
        5,
        "ON CONFLICT (instrument, interval, start_ns) DO UPDATE SET \
         first_append_ns = excluded.first_append_ns, body = excluded.body",
    )
});

pub(super) static UPSERT_SYMBOLS: LazyLock<BatchedStatement> = LazyLock::new(|| {
    BatchedStatement::new(
        "INSERT INTO symbols \
         (instrument, partition, watermark_ns, last_append_ns, closed_until_ns, newest_minute_ns)",
        6,
        "ON CONFLICT (instrument) DO UPDATE SET partition = excluded.partition, \
         watermark_ns = excluded.watermark_ns, last_append_ns = excluded.last_append_ns, \
         closed_until_ns = excluded.closed_until_ns, \
         newest_minute_ns = excluded.newest_minute_ns",
    )
});

pub(super) static UPSERT_VENUES: LazyLock<BatchedStatement> = LazyLock::new(|| {
    BatchedStatement::new(
        "INSERT OR REPLACE INTO venues \
         (partition, venue, scheme, scope, ties, lateness_ns, idle_ns, nonpositive_prices, \
         old_times, retired, declared_epoch, declared_offset)",
        12,
        "",
    )
});

pub(super) static UPSERT_EXCLUDED_RANGES: LazyLock<BatchedStatement> =
    LazyLock::new(|| upsert_excluded_ranges_into("excluded_ranges"));
pub(super) static UPSERT_EXCLUDED_AMENDMENTS: LazyLock<BatchedStatement> =
    LazyLock::new(|| upsert_excluded_ranges_into("excluded_amendments"));

fn upsert_excluded_ranges_into(table: &str) -> BatchedStatement {
    let head = format!(
        "INSERT INTO {table} (partition, epoch, first_offset, end_offset, verdict, append_time_ns)"
    );
    BatchedStatement::new(
        &head,
        6,
        "ON CONFLICT (partition, epoch, first_offset) DO UPDATE SET \
         end_offset = excluded.end_offset, verdict = excluded.verdict, \
         append_time_ns = excluded.append_time_ns",
    )
}

/// Advances the progress, then writes everything else. Writes nothing if the stored progress is not
/// the expected one.
pub(super) async fn write_transaction_without_commit(
    connection: &mut SqliteConnection,
    transaction: &PartitionTransaction,
) -> Result<CommitOutcome, DatabaseError> {
    if !try_advance_progress(connection, transaction).await? {
        return Ok(CommitOutcome::Conflict);
    }
    write_bars(connection, transaction).await?;
    write_symbols_and_venues(connection, transaction).await?;
    id_sets::write_id_sets_and_ranges(connection, transaction).await?;
    id_sets::write_id_segments(connection, transaction).await?;
    write_excluded_ranges(connection, transaction).await?;
    amendments::write_dirty_minutes_and_pending_amendments(connection, transaction).await?;
    Ok(CommitOutcome::Committed)
}

async fn try_advance_progress(
    connection: &mut SqliteConnection,
    transaction: &PartitionTransaction,
) -> Result<bool, DatabaseError> {
    let progress = &transaction.progress;
    let update = query(
        "UPDATE partition_progress SET epoch = ?, next_offset = ?, updates_epoch = ?, \
         updates_offset = ?, append_time_ns = ? WHERE partition = ? AND epoch = ? AND next_offset = ?",
    )
    .bind(u64_as_ordered_column(progress.epoch))
    .bind(u64_as_ordered_column(progress.next_offset))
    .bind(u64_as_ordered_column(progress.updates_position.epoch))
    .bind(u64_as_ordered_column(progress.updates_position.offset))
    .bind(progress.append_time_ns)
    .bind(progress.partition)
    .bind(u64_as_ordered_column(transaction.expected.epoch))
    .bind(u64_as_ordered_column(transaction.expected.offset));
    Ok(update.execute(connection).await?.rows_affected() > 0)
}

async fn write_bars(
    connection: &mut SqliteConnection,
    transaction: &PartitionTransaction,
) -> Result<(), DatabaseError> {
    let partition = transaction.progress.partition;
    let bars = last_row_of_each_key(&transaction.bars, |bar| {
        (bar.instrument.key(), bar.row.window)
    });
    let (closed, open): (Vec<_>, Vec<_>) = bars.into_iter().partition(|bar| bar.row.closed);
    UPSERT_BARS
        .run(connection, &closed, |bound, bar| bind_bar(bound, bar))
        .await?;
    UPSERT_OPEN_BARS
        .run(connection, &open, |bound, bar| {
            bind_bar(bound, bar).bind(partition)
        })
        .await?;
    Ok(())
}

fn bind_bar(bound: BoundQuery, bar: &StoredBar) -> BoundQuery {
    bound
        .bind(bar.instrument.key().to_owned())
        .bind(row::interval_seconds(bar.row.window))
        .bind(bar.row.window.start_ns)
        .bind(bar.row.bar.first_append_ns)
        .bind(schemas::encode_bar_row(&bar.row))
}

async fn write_symbols_and_venues(
    connection: &mut SqliteConnection,
    transaction: &PartitionTransaction,
) -> Result<(), DatabaseError> {
    let partition = transaction.progress.partition;
    UPSERT_SYMBOLS
        .run(connection, &transaction.symbols, |bound, symbol| {
            bound
                .bind(symbol.instrument.key().to_owned())
                .bind(partition)
                .bind(symbol.watermark_ns)
                .bind(symbol.last_append_ns)
                .bind(symbol.closed_until_ns)
                .bind(symbol.newest_minute_ns)
        })
        .await?;
    UPSERT_VENUES
        .run(connection, &transaction.venues, |bound, row| {
            bound
                .bind(partition)
                .bind(row.venue.as_str().to_owned())
                .bind(row.settings.scheme.name())
                .bind(row.settings.scope.name())
                .bind(row.settings.ties.name())
                .bind(row.settings.lateness_ns)
                .bind(row.settings.idle_ns)
                .bind(row.settings.nonpositive_prices)
                .bind(row.settings.old_times)
                .bind(row.settings.retired)
                .bind(u64_as_ordered_column(row.declared_at.epoch))
                .bind(u64_as_ordered_column(row.declared_at.offset))
        })
        .await?;
    Ok(())
}

async fn write_excluded_ranges(
    connection: &mut SqliteConnection,
    transaction: &PartitionTransaction,
) -> Result<(), DatabaseError> {
    let partition = transaction.progress.partition;
    for (statement, ranges) in [
        (&UPSERT_EXCLUDED_RANGES, &transaction.excluded_ranges),
        (
            &UPSERT_EXCLUDED_AMENDMENTS,
            &transaction.excluded_amendments,
        ),
    ] {
        let written = statement.run(connection, ranges, |bound, range| {
            bound
                .bind(partition)
                .bind(u64_as_ordered_column(range.epoch))
                .bind(u64_as_ordered_column(range.first_offset))
                .bind(u64_as_ordered_column(range.end_offset))
                .bind(range.verdict.code())
                .bind(range.append_time_ns)
        });
        written.await?;
    }
    Ok(())
}
