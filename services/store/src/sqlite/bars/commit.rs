//! Writing one step of a partition's state.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use market::TradeId;
use sqlx::{SqliteConnection, query};

use super::{amendments, row};
use crate::id_chunk;
use crate::metrics::Metrics;
use crate::sqlite::bulk::{Bound, Bulk};
use crate::sqlite::column::unsigned;
use crate::sqlite::failure::Failure;
use crate::{CommitOutcome, IdSetDiff, IdSetKey, StoredBar, Transaction};

pub(super) static OPEN_BARS: LazyLock<Bulk> = LazyLock::new(|| {
    Bulk::new(
        "INSERT INTO open_bars (instrument, interval, start_ns, first_append_ns, body, partition)",
        6,
        "ON CONFLICT (instrument, interval, start_ns) DO UPDATE SET \
         first_append_ns = excluded.first_append_ns, body = excluded.body, \
         partition = excluded.partition",
    )
});

pub(super) static BARS: LazyLock<Bulk> = LazyLock::new(|| {
    Bulk::new(
        "INSERT INTO bars (instrument, interval, start_ns, first_append_ns, body)",
        5,
        "ON CONFLICT (instrument, interval, start_ns) DO UPDATE SET \
         first_append_ns = excluded.first_append_ns, body = excluded.body",
    )
});

pub(super) static SYMBOLS: LazyLock<Bulk> = LazyLock::new(|| {
    Bulk::new(
        "INSERT INTO symbols (instrument, partition, watermark_ns, last_append_ns, closed_until_ns)",
        5,
        "ON CONFLICT (instrument) DO UPDATE SET partition = excluded.partition, \
         watermark_ns = excluded.watermark_ns, last_append_ns = excluded.last_append_ns, \
         closed_until_ns = excluded.closed_until_ns",
    )
});

pub(super) static VENUES: LazyLock<Bulk> = LazyLock::new(|| {
    Bulk::new(
        "INSERT OR REPLACE INTO venues \
         (partition, venue, scheme, scope, lateness_ns, idle_ns, nonpositive_prices)",
        7,
        "",
    )
});

pub(super) static ID_SETS: LazyLock<Bulk> = LazyLock::new(|| {
    Bulk::new(
        "INSERT INTO id_sets (instrument, scope, bucket_ns, last_append_ns)",
        4,
        "ON CONFLICT (instrument, scope, bucket_ns) \
         DO UPDATE SET last_append_ns = excluded.last_append_ns",
    )
});

pub(super) static ID_RANGES_GONE: LazyLock<Bulk> = LazyLock::new(|| {
    Bulk::new(
        // Without the types of the columns, SQLite would search by the first two alone.
        "DELETE FROM id_ranges WHERE (instrument, scope, bucket_ns, first) IN \
         (SELECT CAST(column1 AS TEXT), CAST(column2 AS TEXT), CAST(column3 AS INTEGER), \
          CAST(column4 AS INTEGER) FROM (",
        4,
        "))",
    )
});

pub(super) static ID_RANGES: LazyLock<Bulk> = LazyLock::new(|| {
    Bulk::new(
        "INSERT INTO id_ranges (instrument, scope, bucket_ns, first, last)",
        5,
        "ON CONFLICT (instrument, scope, bucket_ns, first) DO UPDATE SET last = excluded.last",
    )
});

pub(super) static ID_CHUNKS: LazyLock<Bulk> = LazyLock::new(|| {
    Bulk::new(
        "INSERT INTO id_chunks (instrument, scope, bucket_ns, body, chunk) \
         SELECT column1, column2, column3, column4, \
         (SELECT coalesce(max(chunk) + 1, 0) FROM id_chunks \
          WHERE instrument = column1 AND scope = column2 AND bucket_ns = column3) FROM (",
        4,
        ")",
    )
});

pub(super) static EXCLUDED_RANGES: LazyLock<Bulk> = LazyLock::new(|| {
    Bulk::new(
        "INSERT INTO excluded_ranges \
         (partition, epoch, first_offset, end_offset, verdict, append_time_ns)",
        6,
        "ON CONFLICT (partition, epoch, first_offset) DO UPDATE SET \
         end_offset = excluded.end_offset, verdict = excluded.verdict, \
         append_time_ns = excluded.append_time_ns",
    )
});

/// Moves the progress row, then writes the rest; nothing where the row was moved before.
pub(super) async fn write(
    connection: &mut SqliteConnection,
    transaction: &Transaction,
) -> Result<CommitOutcome, Failure> {
    if !advance(connection, transaction).await? {
        return Ok(CommitOutcome::Conflict);
    }
    write_bars(connection, transaction).await?;
    write_symbols_and_venues(connection, transaction).await?;
    write_id_ranges(connection, transaction).await?;
    write_exact_ids(connection, transaction).await?;
    write_excluded_ranges(connection, transaction).await?;
    amendments::write(connection, transaction).await?;
    Ok(CommitOutcome::Committed)
}

/// Counts what [`write`] wrote.
pub(super) fn count(metrics: &Metrics, transaction: &Transaction) {
    metrics.count_rows("bars", transaction.bars.len());
    metrics.count_rows("symbols", transaction.symbols.len());
    metrics.count_rows("venues", transaction.venues.len());
    metrics.count_rows("id_sets", transaction.id_sets.len());
    metrics.count_rows("excluded_ranges", transaction.excluded_ranges.len());
    metrics.count_rows("dirty_minutes", transaction.dirty_minutes.len());
    metrics.count_rows("pending_amendments", transaction.pending_amendments.len());
}

async fn advance(
    connection: &mut SqliteConnection,
    transaction: &Transaction,
) -> Result<bool, Failure> {
    let progress = &transaction.progress;
    let moved = query(
        "UPDATE partition_progress SET epoch = ?, next_offset = ?, updates_epoch = ?, \
         updates_offset = ?, append_time_ns = ? WHERE partition = ? AND epoch = ? AND next_offset = ?",
    )
    .bind(unsigned(progress.epoch))
    .bind(unsigned(progress.next_offset))
    .bind(unsigned(progress.updates_position.epoch))
    .bind(unsigned(progress.updates_position.offset))
    .bind(progress.append_time_ns)
    .bind(progress.partition)
    .bind(unsigned(transaction.expected.epoch))
    .bind(unsigned(transaction.expected.offset));
    Ok(moved.execute(connection).await?.rows_affected() > 0)
}

async fn write_bars(
    connection: &mut SqliteConnection,
    transaction: &Transaction,
) -> Result<(), Failure> {
    let partition = transaction.progress.partition;
    let (closed, open): (Vec<_>, Vec<_>) = transaction.bars.iter().partition(|bar| bar.row.closed);
    BARS.run(connection, &closed, |bound, bar| bind_bar(bound, bar))
        .await?;
    OPEN_BARS
        .run(connection, &open, |bound, bar| {
            bind_bar(bound, bar).bind(partition)
        })
        .await?;
    Ok(())
}

fn bind_bar(bound: Bound, bar: &StoredBar) -> Bound {
    bound
        .bind(bar.instrument.key().to_owned())
        .bind(row::seconds(bar.row.window))
        .bind(bar.row.window.start_ns)
        .bind(bar.row.bar.first_append_ns)
        .bind(schemas::encode_bar_row(&bar.row))
}

async fn write_symbols_and_venues(
    connection: &mut SqliteConnection,
    transaction: &Transaction,
) -> Result<(), Failure> {
    let partition = transaction.progress.partition;
    SYMBOLS
        .run(connection, &transaction.symbols, |bound, symbol| {
            bound
                .bind(symbol.instrument.key().to_owned())
                .bind(partition)
                .bind(symbol.watermark_ns)
                .bind(symbol.last_append_ns)
                .bind(symbol.closed_until_ns)
        })
        .await?;
    VENUES
        .run(connection, &transaction.venues, |bound, row| {
            bound
                .bind(partition)
                .bind(row.venue.as_str().to_owned())
                .bind(row.settings.scheme.name())
                .bind(row.settings.scope.name())
                .bind(row.settings.lateness_ns)
                .bind(row.settings.idle_ns)
                .bind(row.settings.nonpositive_prices)
        })
        .await?;
    Ok(())
}

async fn write_id_ranges(
    connection: &mut SqliteConnection,
    transaction: &Transaction,
) -> Result<(), Failure> {
    ID_SETS
        .run(connection, &transaction.id_sets, |bound, change| {
            bind_key(bound, &change.key).bind(change.last_append_ns)
        })
        .await?;
    let (mut gone, mut kept) = (Vec::new(), Vec::new());
    for change in &transaction.id_sets {
        if let IdSetDiff::Ranges {
            upserted,
            removed_firsts,
        } = &change.diff
        {
            gone.extend(removed_firsts.iter().map(|first| (&change.key, *first)));
            kept.extend(upserted.iter().map(|range| (&change.key, *range)));
        }
    }
    ID_RANGES_GONE
        .run(connection, &gone, |bound, (key, first)| {
            bind_key(bound, key).bind(unsigned(*first))
        })
        .await?;
    ID_RANGES
        .run(connection, &kept, |bound, (key, (first, last))| {
            bind_key(bound, key)
                .bind(unsigned(*first))
                .bind(unsigned(*last))
        })
        .await?;
    Ok(())
}

async fn write_exact_ids(
    connection: &mut SqliteConnection,
    transaction: &Transaction,
) -> Result<(), Failure> {
    // One chunk a set: the statement numbers chunks by what was stored before it.
    let mut by_set: BTreeMap<&IdSetKey, Vec<&TradeId>> = BTreeMap::new();
    for change in &transaction.id_sets {
        if let IdSetDiff::Exact { added } = &change.diff {
            by_set.entry(&change.key).or_default().extend(added);
        }
    }
    let mut chunks = Vec::with_capacity(by_set.len());
    for (key, ids) in by_set.iter().filter(|(_, ids)| !ids.is_empty()) {
        chunks.push((*key, id_chunk::encode_ids(ids)?));
    }
    ID_CHUNKS
        .run(connection, &chunks, |bound, (key, body)| {
            bind_key(bound, key).bind(body.clone())
        })
        .await?;
    Ok(())
}

/// The three columns that name a set of ids.
pub(super) fn bind_key(bound: Bound, key: &IdSetKey) -> Bound {
    bound
        .bind(key.instrument.key().to_owned())
        .bind(Arc::clone(&key.scope))
        .bind(key.bucket_ns)
}

async fn write_excluded_ranges(
    connection: &mut SqliteConnection,
    transaction: &Transaction,
) -> Result<(), Failure> {
    let partition = transaction.progress.partition;
    EXCLUDED_RANGES
        .run(connection, &transaction.excluded_ranges, |bound, range| {
            bound
                .bind(partition)
                .bind(unsigned(range.epoch))
                .bind(unsigned(range.first_offset))
                .bind(unsigned(range.end_offset))
                .bind(range.verdict.code())
                .bind(range.append_time_ns)
        })
        .await?;
    Ok(())
}
