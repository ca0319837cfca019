//! Writing blocks of ticks.

use std::borrow::Cow;
use std::sync::LazyLock;

use market::Instrument;
use schemas::TradesTopicRecord;
use sqlx::SqliteConnection;

use super::block;
use crate::sqlite::column::u64_as_ordered_column;
use crate::sqlite::database_error::DatabaseError;
use crate::sqlite::row_batches::BatchedStatement;
use crate::tick_store::{TickBlock, TickRecord};

/// A block that is inserted again replaces the stored one.
static UPSERT_TRADES: LazyLock<BatchedStatement> =
    LazyLock::new(|| upsert_blocks_into("tick_blocks"));
static UPSERT_AMENDMENTS: LazyLock<BatchedStatement> =
    LazyLock::new(|| upsert_blocks_into("amendment_blocks"));

fn upsert_blocks_into(table: &str) -> BatchedStatement {
    let head = format!(
        "INSERT OR REPLACE INTO {table} (instrument, hour_ns, epoch, partition, \
         first_offset, last_offset, tick_count, min_time_ns, max_time_ns, last_append_ns, body)"
    );
    BatchedStatement::new(&head, 11, "")
}

/// The rows to write, by their tables.
#[derive(Default)]
pub(super) struct CompressedBlocks {
    pub(super) trades: Vec<NewBlockRow>,
    pub(super) amendments: Vec<NewBlockRow>,
}

/// A row of `tick_blocks` or `amendment_blocks` to write.
pub(super) struct NewBlockRow {
    instrument: Instrument,
    hour_ns: i64,
    epoch: u64,
    partition: u32,
    first_offset: u64,
    last_offset: u64,
    tick_count: i64,
    min_time_ns: i64,
    max_time_ns: i64,
    last_append_ns: i64,
    body: Vec<u8>,
}

/// Separates the trades of each block from its edits and cancels, splits blocks that are too large,
/// and compresses them on a blocking thread.
pub(super) async fn split_and_compress_blocks(
    blocks: &[TickBlock],
) -> Result<CompressedBlocks, DatabaseError> {
    let mut packed = CompressedBlocks::default();
    for block in blocks {
        let (amendments, trades) = split_into_amendments_and_trades(&block.ticks);
        for (ticks, rows) in [
            (trades, &mut packed.trades),
            (amendments, &mut packed.amendments),
        ] {
            for ticks in block::split_into_block_sizes(&ticks) {
                rows.extend(uncompressed_row_unless_empty(block, ticks));
                if ticks.len() > 1_000 {
                    tokio::task::yield_now().await;
                }
            }
        }
    }
    let compressing = tokio::task::spawn_blocking(move || {
        for block in packed.trades.iter_mut().chain(&mut packed.amendments) {
            block.body = block::compress_block_body(&block.body)?;
        }
        Ok(packed)
    });
    let compressed = compressing.await;
    compressed
        .unwrap_or_else(|error| Err(DatabaseError::Unavailable(format!("compression: {error}"))))
}

/// Returns the edits and cancels among the ticks of a block, and the other ticks.
fn split_into_amendments_and_trades(
    ticks: &[TickRecord],
) -> (Cow<'_, [TickRecord]>, Cow<'_, [TickRecord]>) {
    let is_amendment = |tick: &&TickRecord| TradesTopicRecord::begins_as_amendment(&tick.value);
    // Most blocks hold trades alone, which need not be copied.
    if !ticks.iter().any(|tick| is_amendment(&tick)) {
        return (Cow::default(), Cow::Borrowed(ticks));
    }
    let (amendments, trades): (Vec<_>, Vec<_>) =
        ticks.iter().cloned().partition(|tick| is_amendment(&tick));
    (Cow::Owned(amendments), Cow::Owned(trades))
}

/// Returns the row of some ticks of a block, with an uncompressed body.
fn uncompressed_row_unless_empty(block: &TickBlock, ticks: &[TickRecord]) -> Option<NewBlockRow> {
    let (first, last) = (ticks.first()?, ticks.last()?);
    Some(NewBlockRow {
        instrument: block.instrument.clone(),
        hour_ns: block.hour_ns,
        epoch: block.epoch,
        partition: block.partition,
        first_offset: first.offset,
        last_offset: last.offset,
        tick_count: i64::try_from(ticks.len()).expect("memory holds fewer ticks"),
        min_time_ns: ticks.iter().map(|tick| tick.time_ns).min()?,
        max_time_ns: ticks.iter().map(|tick| tick.time_ns).max()?,
        last_append_ns: ticks.iter().map(|tick| tick.append_time_ns).max()?,
        body: block::encode_block_body(ticks),
    })
}

/// Writes packed blocks.
pub(super) async fn write_blocks(
    connection: &mut SqliteConnection,
    blocks: &CompressedBlocks,
) -> Result<(), DatabaseError> {
    for (statement, rows) in [
        (&UPSERT_AMENDMENTS, &blocks.amendments),
        (&UPSERT_TRADES, &blocks.trades),
    ] {
        let written = statement.run(connection, rows, |bound, block| {
            bound
                .bind(block.instrument.key().to_owned())
                .bind(block.hour_ns)
                .bind(u64_as_ordered_column(block.epoch))
                .bind(block.partition)
                .bind(u64_as_ordered_column(block.first_offset))
                .bind(u64_as_ordered_column(block.last_offset))
                .bind(block.tick_count)
                .bind(block.min_time_ns)
                .bind(block.max_time_ns)
                .bind(block.last_append_ns)
                .bind(block.body.clone())
        });
        written.await?;
    }
    Ok(())
}
