//! Reading ticks.

use std::sync::Arc;

use futures_util::TryStreamExt;
use market::{Instrument, Position, Trade};
use schemas::TradesTopicRecord;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, query};

use super::block::{self, ArchivedTick};
use crate::error::StoreError;
use crate::sqlite::column::{read_ordered_u64, read_partition};
use crate::sqlite::database_error::DatabaseError;
use crate::sqlite::reader_pool::ReaderPool;
use crate::tick_lookup::{FirstMatchingTicks, TickLookup};
use crate::tick_store::Tick;
use crate::tick_store::{hour_start_ns, sort_and_dedup};

const SELECT_BLOCKS: &str = "SELECT epoch, partition, first_offset, last_offset, tick_count, body \
    FROM tick_blocks WHERE instrument = ?1 AND hour_ns >= ?2 AND hour_ns < ?4 \
    AND max_time_ns >= ?3 AND min_time_ns < ?4 \
    UNION ALL SELECT epoch, partition, first_offset, last_offset, tick_count, body \
    FROM amendment_blocks WHERE instrument = ?1 AND hour_ns >= ?2 AND hour_ns < ?4 \
    AND max_time_ns >= ?3 AND min_time_ns < ?4";

/// A row of `tick_blocks` or `amendment_blocks`.
struct StoredBlockRow {
    epoch: u64,
    partition: u32,
    first_offset: u64,
    last_offset: u64,
    tick_count: usize,
    body: Vec<u8>,
}

/// Returns the ticks of an instrument within `[start_ns, end_ns)`, in order of their positions.
pub(super) async fn read_ticks(
    readers: &ReaderPool,
    instrument: &Instrument,
    start_ns: i64,
    end_ns: i64,
) -> Result<Vec<Tick>, StoreError> {
    let mut ticks = Vec::new();
    let every_trade = |_: &Trade| true;
    for_each_block(
        readers,
        instrument,
        start_ns,
        end_ns,
        every_trade,
        |mut block| {
            ticks.append(&mut block);
        },
    )
    .await?;
    Ok(sort_and_dedup(ticks))
}

/// Returns for each trade of `lookup` the delivery with the least position within
/// `[start_ns, end_ns)`, in order of the positions.
pub(super) async fn read_first_matching_ticks(
    readers: &ReaderPool,
    instrument: &Instrument,
    start_ns: i64,
    end_ns: i64,
    lookup: &TickLookup,
) -> Result<Vec<Tick>, StoreError> {
    let mut firsts = FirstMatchingTicks::new(lookup);
    let wanted = Arc::new(lookup.clone());
    let is_wanted = move |trade: &Trade| wanted.contains(trade);
    for_each_block(readers, instrument, start_ns, end_ns, is_wanted, |block| {
        for (partition, tick) in block {
            firsts.keep_if_first(partition, tick);
        }
    })
    .await?;
    Ok(firsts.into_ticks())
}

/// Reads one block after another, and passes on those of its ticks whose event times are in
/// `[start_ns, end_ns)` and whose trades are wanted, each with its partition. Only a few blocks are
/// in memory at the same time.
async fn for_each_block(
    readers: &ReaderPool,
    instrument: &Instrument,
    start_ns: i64,
    end_ns: i64,
    is_wanted: impl Fn(&Trade) -> bool + Clone + Send + 'static,
    mut take_ticks: impl FnMut(Vec<(u32, Tick)>),
) -> Result<(), StoreError> {
    let mut connection = readers.acquire().await?;
    let blocks = query(SELECT_BLOCKS)
        .bind(instrument.key())
        .bind(hour_start_ns(start_ns))
        .bind(start_ns)
        .bind(end_ns);
    let taken = async {
        let mut blocks = blocks.fetch(&mut *connection);
        while let Some(row) = blocks.try_next().await? {
            let block = read_block(&row)?;
            let is_wanted = is_wanted.clone();
            // Decoding takes too long for an async task.
            let unpacking = tokio::task::spawn_blocking(move || {
                decode_block(&block, |trade| {
                    (start_ns..end_ns).contains(&trade.time_ns) && is_wanted(trade)
                })
            });
            let unpacked = unpacking.await.unwrap_or_else(|error| {
                Err(DatabaseError::Unavailable(format!("reading: {error}")))
            });
            take_ticks(unpacked?);
        }
        Ok(())
    };
    match taken.await {
        Ok(()) => Ok(()),
        Err(failure) => connection.discard(failure),
    }
}

fn read_block(row: &SqliteRow) -> Result<StoredBlockRow, DatabaseError> {
    let tick_count: i64 = row.try_get(4)?;
    Ok(StoredBlockRow {
        epoch: read_ordered_u64(row, 0)?,
        partition: read_partition(row, 1)?,
        first_offset: read_ordered_u64(row, 2)?,
        last_offset: read_ordered_u64(row, 3)?,
        tick_count: usize::try_from(tick_count)
            .map_err(|_| DatabaseError::malformed_value("tick_count", tick_count))?,
        body: row.try_get(5)?,
    })
}

/// Returns the ticks of a block for whose trades `is_wanted` returns true, each with its partition.
fn decode_block(
    block: &StoredBlockRow,
    is_wanted: impl Fn(&Trade) -> bool,
) -> Result<Vec<(u32, Tick)>, DatabaseError> {
    let archived = block::decompress_and_decode_block_body(&block.body, block.tick_count)?;
    let ends = [archived.first(), archived.last()].map(|tick| tick.map(|tick| tick.offset));
    if ends != [Some(block.first_offset), Some(block.last_offset)] {
        return Err(DatabaseError::malformed_value(
            "offsets",
            format!("{ends:?}"),
        ));
    }
    let mut ticks = Vec::new();
    for archived in &archived {
        let tick = decode_tick(block.epoch, archived)?;
        if is_wanted(&tick.trade) {
            ticks.push((block.partition, tick));
        }
    }
    Ok(ticks)
}

fn decode_tick(epoch: u64, archived: &ArchivedTick) -> Result<Tick, DatabaseError> {
    let (trade, amendment) = match TradesTopicRecord::decode(&archived.value)? {
        TradesTopicRecord::Trade(trade) => (trade, None),
        TradesTopicRecord::Amendment(amendment, trade) => (trade, Some(amendment)),
        _ => {
            let found = format!("the record at offset {}", archived.offset);
            return Err(DatabaseError::malformed_value("tick", found));
        }
    };
    Ok(Tick {
        trade,
        amendment,
        position: Position {
            epoch,
            offset: archived.offset,
        },
        append_time_ns: archived.append_time_ns,
    })
}
