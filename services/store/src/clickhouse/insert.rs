//! Writing ticks.

use ::clickhouse::Row;
use ::clickhouse::error::Error;
use market::{Amendment, AmendmentKind, Side, Trade, TradeId};
use schemas::TradesRecord;
use serde::Serialize;

use super::decimal::widened;
use super::server::Server;
use crate::deadline::within;
use crate::{StoreError, TickBlock, TickRecord};

/// After how many rows other tasks of the executor get their turn.
const TURN: usize = 4_096;

/// A row of `trades` as it is written.
#[derive(Row, Serialize)]
struct WrittenTick<'a> {
    venue: &'a str,
    symbol: &'a str,
    hour_ns: i64,
    epoch: u64,
    partition: u32,
    offset: u64,
    append_time_ns: i64,
    time_ns: i64,
    kind: i8,
    price: i128,
    quantity: Option<i128>,
    side: i8,
    id_kind: i8,
    id_number: u64,
    id_text: &'a str,
    scope: Option<&'a str>,
    sender_key: Option<[u8; 16]>,
    sender_index: u64,
    amendment_id: String,
    target_epoch: Option<u64>,
    target_offset: Option<u64>,
}

/// Values of `kind`.
pub(super) const TRADE: i8 = 0;
pub(super) const EDIT: i8 = 1;
pub(super) const CANCEL: i8 = 2;

/// Values of `side`.
pub(super) const NO_SIDE: i8 = 0;
pub(super) const BUY: i8 = 1;
pub(super) const SELL: i8 = 2;

/// Values of `id_kind`.
pub(super) const NO_ID: i8 = 0;
pub(super) const NUMBER: i8 = 1;
pub(super) const DIGITS: i8 = 2;
pub(super) const TEXT: i8 = 3;

/// Writes blocks of one partition in one insert, which is one block of the server.
///
/// All records are read before the first is sent: one that is no tick fails the call, and
/// nothing of it is written.
pub(super) async fn insert(server: &Server, blocks: &[TickBlock]) -> Result<(), StoreError> {
    let rows = blocks.iter().map(|block| block.ticks.len()).sum();
    let mut ticks = Vec::with_capacity(rows);
    for block in blocks {
        for record in &block.ticks {
            ticks.push((block, record, decoded(server, record)?));
            if ticks.len().is_multiple_of(TURN) {
                tokio::task::yield_now().await;
            }
        }
    }
    if ticks.is_empty() {
        return Ok(());
    }
    let written = server.check(send(server, blocks, &ticks).await);
    if matches!(written, Err(StoreError::Corrupt { .. })) {
        // The table may have changed since its columns were asked for.
        server.client().clear_cached_metadata().await;
    }
    written
}

type DecodedTick<'a> = (&'a TickBlock, &'a TickRecord, (Trade, Option<Amendment>));

async fn send(
    server: &Server,
    blocks: &[TickBlock],
    ticks: &[DecodedTick<'_>],
) -> Result<(), Error> {
    let (send_timeout, receive_timeout) = server.timeouts();
    let begun = server.client().insert::<WrittenTick<'_>>("trades");
    let begun = within(receive_timeout, begun).await;
    let mut insert = begun
        .unwrap_or(Err(Error::TimedOut))?
        .with_timeouts(Some(send_timeout), Some(receive_timeout))
        .with_setting("insert_deduplicate", "1")
        .with_setting("insert_deduplication_token", token(blocks))
        // The rows become one block of the server, and so one part of each day that they were
        // appended on. Were they cut, each piece would be written by itself.
        .with_setting("async_insert", "0")
        .with_setting("max_insert_threads", "1")
        .with_setting("max_insert_block_size", ticks.len().to_string())
        .with_setting("max_insert_block_size_bytes", "0")
        .with_setting("min_insert_block_size_rows", ticks.len().to_string())
        .with_setting("min_insert_block_size_bytes", "0")
        // A log that is archived late may hold more days than the 100 that are the default.
        .with_setting("max_partitions_per_insert_block", "0");
    for (number, (block, record, (trade, amendment))) in ticks.iter().enumerate() {
        insert
            .write(&row(block, record, trade, amendment.as_ref()))
            .await?;
        if number % TURN == TURN - 1 {
            tokio::task::yield_now().await;
        }
    }
    insert.end().await
}

fn decoded(server: &Server, record: &TickRecord) -> Result<(Trade, Option<Amendment>), StoreError> {
    match TradesRecord::decode(&record.value) {
        Ok(TradesRecord::Trade(trade)) => Ok((trade, None)),
        Ok(TradesRecord::Amendment(amendment, trade)) => Ok((trade, Some(amendment))),
        Ok(_) => Err(server.corrupt(format!("the record at offset {} is no tick", record.offset))),
        Err(error) => {
            Err(server.corrupt(format!("the record at offset {}: {error}", record.offset)))
        }
    }
}

fn row<'a>(
    block: &'a TickBlock,
    record: &TickRecord,
    trade: &'a Trade,
    amendment: Option<&'a Amendment>,
) -> WrittenTick<'a> {
    let (id_kind, id_number, id_text) = match &trade.id {
        None => (NO_ID, 0, ""),
        Some(TradeId::Number(number)) => (NUMBER, *number, ""),
        Some(TradeId::Digits(text)) => (DIGITS, 0, &**text),
        Some(TradeId::Text(text)) => (TEXT, 0, &**text),
    };
    let place = amendment.and_then(|amendment| amendment.target_position);
    WrittenTick {
        venue: block.instrument.venue(),
        symbol: block.instrument.symbol(),
        hour_ns: block.hour_ns,
        epoch: block.epoch,
        partition: block.partition,
        offset: record.offset,
        append_time_ns: record.append_time_ns,
        time_ns: trade.time_ns,
        kind: match amendment.map(|amendment| amendment.kind) {
            None => TRADE,
            Some(AmendmentKind::Edit) => EDIT,
            Some(AmendmentKind::Cancel) => CANCEL,
        },
        price: widened(trade.price),
        quantity: trade.quantity.map(widened),
        side: match trade.side {
            None => NO_SIDE,
            Some(Side::Buy) => BUY,
            Some(Side::Sell) => SELL,
        },
        id_kind,
        id_number,
        id_text,
        scope: trade.scope.as_deref(),
        sender_key: trade.sender.map(|sender| sender.key),
        sender_index: trade.sender.map_or(0, |sender| sender.index),
        amendment_id: amendment.map_or_else(String::new, |amendment| amendment.id.to_string()),
        target_epoch: place.map(|place| place.epoch),
        target_offset: place.map(|place| place.offset),
    }
}

/// Names what an insert holds: the same for the same records, another for any others.
///
/// The digest is over every place, because two inserts may have their first and last place in
/// common and differ in between.
fn token(blocks: &[TickBlock]) -> String {
    let mut digest = blake3::Hasher::new();
    for block in blocks {
        digest.update(block.instrument.key().as_bytes());
        for number in [
            0,
            block.epoch,
            block.partition.into(),
            block.ticks.len() as u64,
        ] {
            digest.update(&number.to_le_bytes());
        }
        for tick in &block.ticks {
            digest.update(&tick.offset.to_le_bytes());
        }
    }
    let offsets = || {
        blocks
            .iter()
            .flat_map(|block| &block.ticks)
            .map(|tick| tick.offset)
    };
    let (first, last) = (offsets().min().unwrap_or(0), offsets().max().unwrap_or(0));
    let (epoch, partition) = blocks
        .first()
        .map_or((0, 0), |block| (block.epoch, block.partition));
    format!(
        "{epoch}-{partition}-{first}-{last}-{}",
        &digest.finalize().to_hex()[..32]
    )
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::token;
    use crate::{TickBlock, TickRecord};

    fn block(epoch: u64, partition: u32, offsets: &[u64]) -> TickBlock {
        let tick = |offset: &u64| TickRecord {
            offset: *offset,
            append_time_ns: 0,
            time_ns: 0,
            value: Bytes::new(),
        };
        TickBlock {
            instrument: "binance:BTCUSDT".parse().unwrap(),
            hour_ns: 0,
            partition,
            epoch,
            ticks: offsets.iter().map(tick).collect(),
        }
    }

    #[test]
    fn a_token_names_exactly_the_records() {
        let known = token(&[block(1, 2, &[3, 4, 9])]);
        assert!(known.starts_with("1-2-3-9-"), "{known}");
        assert_eq!(known, token(&[block(1, 2, &[3, 4, 9])]));
        for other in [
            vec![block(1, 2, &[3, 5, 9])],
            vec![block(1, 2, &[3, 9])],
            vec![block(1, 3, &[3, 4, 9])],
            vec![block(2, 2, &[3, 4, 9])],
            vec![block(1, 2, &[3]), block(1, 2, &[4, 9])],
        ] {
            assert_ne!(known, token(&other));
        }
    }
}
