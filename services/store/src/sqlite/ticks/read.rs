//! Reading ticks back.

use futures_util::TryStreamExt;
use market::{Instrument, Position};
use schemas::TradesRecord;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, query};

use super::block::{self, ArchivedTick};
use crate::sqlite::column::{read_partition, read_unsigned};
use crate::sqlite::failure::Failure;
use crate::sqlite::readers::Readers;
use crate::tick_store::{hour_start_ns, sort_and_dedup};
use crate::{StoreError, Tick};

const BLOCKS: &str = "SELECT epoch, partition, first_offset, last_offset, tick_count, body \
    FROM tick_blocks WHERE instrument = ?1 AND hour_ns >= ?2 AND hour_ns < ?4 \
    AND max_time_ns >= ?3 AND min_time_ns < ?4";

/// A block as it is stored.
struct StoredBlock {
    epoch: u64,
    partition: u32,
    first_offset: u64,
    last_offset: u64,
    tick_count: usize,
    body: Vec<u8>,
}

/// Reads block after block, of which at most a few are in memory at once.
pub(super) async fn read(
    readers: &Readers,
    instrument: &Instrument,
    start_ns: i64,
    end_ns: i64,
) -> Result<Vec<Tick>, StoreError> {
    let mut loan = readers.lend().await?;
    let blocks = query(BLOCKS)
        .bind(instrument.key())
        .bind(hour_start_ns(start_ns))
        .bind(start_ns)
        .bind(end_ns);
    let mut ticks = Vec::new();
    let collected = async {
        let mut blocks = blocks.fetch(&mut *loan);
        while let Some(row) = blocks.try_next().await? {
            let block = stored(&row)?;
            // Reading the records takes longer than an executor should be kept.
            let unpacking =
                tokio::task::spawn_blocking(move || unpack(&block, start_ns, end_ns)).await;
            let unpacked = unpacking
                .unwrap_or_else(|error| Err(Failure::Unavailable(format!("reading: {error}"))));
            ticks.append(&mut unpacked?);
        }
        Ok(())
    };
    match collected.await {
        Ok(()) => Ok(sort_and_dedup(ticks)),
        Err(failure) => loan.failed(failure),
    }
}

fn stored(row: &SqliteRow) -> Result<StoredBlock, Failure> {
    let tick_count: i64 = row.try_get(4)?;
    Ok(StoredBlock {
        epoch: read_unsigned(row, 0)?,
        partition: read_partition(row, 1)?,
        first_offset: read_unsigned(row, 2)?,
        last_offset: read_unsigned(row, 3)?,
        tick_count: usize::try_from(tick_count)
            .map_err(|_| Failure::malformed("tick_count", tick_count))?,
        body: row.try_get(5)?,
    })
}

/// The ticks of a block within `[start_ns, end_ns)`, each with its partition.
fn unpack(block: &StoredBlock, start_ns: i64, end_ns: i64) -> Result<Vec<(u32, Tick)>, Failure> {
    let archived = block::unpack(&block.body, block.tick_count)?;
    let ends = [archived.first(), archived.last()].map(|tick| tick.map(|tick| tick.offset));
    if ends != [Some(block.first_offset), Some(block.last_offset)] {
        return Err(Failure::malformed("offsets", format!("{ends:?}")));
    }
    let mut ticks = Vec::with_capacity(archived.len());
    for archived in &archived {
        let tick = decoded(block.epoch, archived)?;
        if start_ns <= tick.trade.time_ns && tick.trade.time_ns < end_ns {
            ticks.push((block.partition, tick));
        }
    }
    Ok(ticks)
}

fn decoded(epoch: u64, archived: &ArchivedTick) -> Result<Tick, Failure> {
    let (trade, amendment) = match TradesRecord::decode(&archived.value)? {
        TradesRecord::Trade(trade) => (trade, None),
        TradesRecord::Amendment(amendment, trade) => (trade, Some(amendment)),
        _ => {
            let found = format!("the record at offset {}", archived.offset);
            return Err(Failure::malformed("tick", found));
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
