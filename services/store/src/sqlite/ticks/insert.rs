//! Writing blocks.

use std::sync::LazyLock;

use market::Instrument;
use sqlx::SqliteConnection;

use super::block;
use crate::sqlite::bulk::Bulk;
use crate::sqlite::column::unsigned;
use crate::sqlite::failure::Failure;
use crate::{TickBlock, TickRecord};

/// An exact repeat replaces itself.
static BLOCKS: LazyLock<Bulk> = LazyLock::new(|| {
    Bulk::new(
        "INSERT OR REPLACE INTO tick_blocks (instrument, hour_ns, epoch, partition, \
         first_offset, last_offset, tick_count, min_time_ns, max_time_ns, last_append_ns, body)",
        11,
        "",
    )
});

/// A block as it is stored.
pub(super) struct PackedBlock {
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

/// Splits what is too large, and compresses away from the executor.
pub(super) async fn pack(blocks: &[TickBlock]) -> Result<Vec<PackedBlock>, Failure> {
    let mut packed = Vec::with_capacity(blocks.len());
    for block in blocks {
        for ticks in block::pieces(&block.ticks) {
            packed.extend(laid_out(block, ticks));
            if ticks.len() > 1_000 {
                tokio::task::yield_now().await;
            }
        }
    }
    let compressing = tokio::task::spawn_blocking(move || {
        for block in &mut packed {
            block.body = block::pack(&block.body)?;
        }
        Ok(packed)
    });
    let ended = compressing.await;
    ended.unwrap_or_else(|error| Err(Failure::Unavailable(format!("compression: {error}"))))
}

/// A block whose body is not compressed yet.
fn laid_out(block: &TickBlock, ticks: &[TickRecord]) -> Option<PackedBlock> {
    let (first, last) = (ticks.first()?, ticks.last()?);
    Some(PackedBlock {
        instrument: block.instrument.clone(),
        hour_ns: block.hour_ns,
        epoch: block.epoch,
        partition: block.partition,
        first_offset: first.offset,
        last_offset: last.offset,
        tick_count: i64::try_from(ticks.len()).expect("memory holds fewer"),
        min_time_ns: ticks.iter().map(|tick| tick.time_ns).min()?,
        max_time_ns: ticks.iter().map(|tick| tick.time_ns).max()?,
        last_append_ns: ticks.iter().map(|tick| tick.append_time_ns).max()?,
        body: block::encode(ticks),
    })
}

/// Writes them.
pub(super) async fn write(
    connection: &mut SqliteConnection,
    blocks: &[PackedBlock],
) -> Result<(), Failure> {
    let written = BLOCKS.run(connection, blocks, |bound, block| {
        bound
            .bind(block.instrument.key().to_owned())
            .bind(block.hour_ns)
            .bind(unsigned(block.epoch))
            .bind(block.partition)
            .bind(unsigned(block.first_offset))
            .bind(unsigned(block.last_offset))
            .bind(block.tick_count)
            .bind(block.min_time_ns)
            .bind(block.max_time_ns)
            .bind(block.last_append_ns)
            .bind(block.body.clone())
    });
    written.await.map(drop)
}
