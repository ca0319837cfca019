//! Writing one step of a partition's state.

use sqlx::{PgConnection, query};

use super::column::{bits, number, partition};
use super::failure::Failure;
use super::{amendments, bars, ids};
use crate::metrics::Metrics;
use crate::{CommitOutcome, Transaction};

const ADVANCE: &str = "UPDATE progress SET epoch = $1, next_offset = $2, updates_epoch = $3, \
    updates_offset = $4, append_time_ns = $5 \
    WHERE partition = $6 AND epoch = $7 AND next_offset = $8";

const SYMBOLS: &str = "INSERT INTO symbols \
    (partition, instrument, watermark_ns, last_append_ns, closed_until_ns) \
    SELECT $1, * FROM unnest($2, $3, $4, $5) \
    ON CONFLICT (instrument) DO UPDATE SET partition = excluded.partition, \
    watermark_ns = excluded.watermark_ns, last_append_ns = excluded.last_append_ns, \
    closed_until_ns = excluded.closed_until_ns";

const VENUES: &str = "INSERT INTO venues \
    (partition, venue, scheme, scope, lateness_ns, idle_ns, nonpositive_prices) \
    VALUES ($1, $2, $3, $4, $5, $6, $7) \
    ON CONFLICT (partition, venue) DO UPDATE SET scheme = excluded.scheme, \
    scope = excluded.scope, lateness_ns = excluded.lateness_ns, idle_ns = excluded.idle_ns, \
    nonpositive_prices = excluded.nonpositive_prices";

const REJECTED: &str = "INSERT INTO rejected \
    (partition, epoch, first, past, verdict, append_time_ns) \
    SELECT $1, * FROM unnest($2, $3, $4, $5, $6) \
    ON CONFLICT (partition, epoch, first) DO UPDATE SET past = excluded.past, \
    verdict = excluded.verdict, append_time_ns = excluded.append_time_ns";

/// Takes a step, inside a transaction: of what others see, the progress row is moved first, and
/// where it was moved before nothing else is written. Its lock keeps another owner of the
/// partition waiting until this transaction has ended.
pub(super) async fn write(
    session: &mut PgConnection,
    transaction: &Transaction,
) -> Result<CommitOutcome, Failure> {
    bars::stage(session, &transaction.bars).await?;
    if !advance(session, transaction).await? {
        return Ok(CommitOutcome::Lost);
    }
    bars::place(session, transaction).await?;
    write_symbols(session, transaction).await?;
    write_venues(session, transaction).await?;
    ids::write(session, &transaction.ids).await?;
    write_rejected(session, transaction).await?;
    amendments::write(session, transaction).await?;
    Ok(CommitOutcome::Committed)
}

/// Counts what [`write`] wrote.
pub(super) fn count(metrics: &Metrics, transaction: &Transaction) {
    metrics.rows("bars", transaction.bars.len());
    metrics.rows("symbols", transaction.symbols.len());
    metrics.rows("venues", transaction.venues.len());
    metrics.rows("id_sets", transaction.ids.len());
    metrics.rows("rejected", transaction.rejected.len());
    metrics.rows("dirty", transaction.dirty.len());
    metrics.rows("ahead", transaction.ahead.len());
}

async fn advance(session: &mut PgConnection, transaction: &Transaction) -> Result<bool, Failure> {
    let progress = &transaction.progress;
    let moved = query(ADVANCE)
        .bind(bits(progress.epoch))
        .bind(bits(progress.next_offset))
        .bind(bits(progress.updates.epoch))
        .bind(bits(progress.updates.offset))
        .bind(progress.append_time_ns)
        .bind(partition(progress.partition)?)
        .bind(bits(transaction.expected.epoch))
        .bind(bits(transaction.expected.offset));
    Ok(moved.execute(session).await?.rows_affected() > 0)
}

async fn write_symbols(
    session: &mut PgConnection,
    transaction: &Transaction,
) -> Result<(), Failure> {
    let rows = &transaction.symbols;
    if rows.is_empty() {
        return Ok(());
    }
    let written = query(SYMBOLS)
        .bind(partition(transaction.progress.partition)?)
        .bind(column(rows, |row| row.instrument.key()))
        .bind(column(rows, |row| row.watermark_ns))
        .bind(column(rows, |row| row.last_append_ns))
        .bind(column(rows, |row| row.closed_until_ns));
    written.execute(session).await?;
    Ok(())
}

async fn write_venues(
    session: &mut PgConnection,
    transaction: &Transaction,
) -> Result<(), Failure> {
    for row in &transaction.venues {
        let written = query(VENUES)
            .bind(partition(transaction.progress.partition)?)
            .bind(row.venue.as_str())
            .bind(row.settings.scheme.name())
            .bind(row.settings.scope.name())
            .bind(row.settings.lateness_ns)
            .bind(row.settings.idle_ns)
            .bind(row.settings.nonpositive_prices);
        written.execute(&mut *session).await?;
    }
    Ok(())
}

async fn write_rejected(
    session: &mut PgConnection,
    transaction: &Transaction,
) -> Result<(), Failure> {
    let rows = &transaction.rejected;
    if rows.is_empty() {
        return Ok(());
    }
    let written = query(REJECTED)
        .bind(partition(transaction.progress.partition)?)
        .bind(column(rows, |row| bits(row.epoch)))
        .bind(column(rows, |row| number(row.first)))
        .bind(column(rows, |row| number(row.end)))
        .bind(column(rows, |row| row.verdict.code()))
        .bind(column(rows, |row| row.append_time_ns));
    written.execute(session).await?;
    Ok(())
}

/// One column of some rows, for `unnest`.
pub(super) fn column<'a, R, V>(rows: &'a [R], value: impl Fn(&'a R) -> V) -> Vec<V> {
    rows.iter().map(value).collect()
}
