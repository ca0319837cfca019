//! Inserting ticks.

use ::clickhouse::Row;
use ::clickhouse::error::Error;
use clock::SystemClock;
use market::{Amendment, AmendmentKind, Side, Trade, TradeId};
use schemas::TradesTopicRecord;
use serde::Serialize;

use super::decimal::decimal_to_column;
use super::server::ClickHouseServer;
use crate::{StoreError, TickBlock, TickRecord};

/// After this number of rows the task yields to others.
const ROWS_PER_YIELD: usize = 4_096;

/// A row of `trades` or `amendments` that is inserted.
#[derive(Row, Serialize)]
struct InsertedTickRow<'a> {
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

/// The values of the column `kind`.
pub(super) const KIND_TRADE: i8 = 0;
pub(super) const KIND_EDIT: i8 = 1;
pub(super) const KIND_CANCEL: i8 = 2;

/// The values of the column `side`.
pub(super) const SIDE_NONE: i8 = 0;
pub(super) const SIDE_BUY: i8 = 1;
pub(super) const SIDE_SELL: i8 = 2;

/// The values of the column `id_kind`.
pub(super) const ID_NONE: i8 = 0;
pub(super) const ID_NUMBER: i8 = 1;
pub(super) const ID_DIGITS: i8 = 2;
pub(super) const ID_TEXT: i8 = 3;

/// Inserts the edits and cancels of some blocks of one partition, then their trades: each with one
/// statement, which the server writes as one block.
///
/// All records are decoded before the first row is sent. If one is not a tick, the call fails and
/// nothing is written.
pub(super) async fn insert_blocks(
    server: &ClickHouseServer,
    blocks: &[TickBlock],
) -> Result<(), StoreError> {
    let rows = blocks.iter().map(|block| block.ticks.len()).sum();
    let (mut amendments, mut trades) = (Vec::new(), Vec::with_capacity(rows));
    for block in blocks {
        for (number, record) in block.ticks.iter().enumerate() {
            let decoded = decode_record(server, record)?;
            let rows = match decoded.1 {
                Some(_) => &mut amendments,
                None => &mut trades,
            };
            rows.push((block, record, decoded));
            if number % ROWS_PER_YIELD == ROWS_PER_YIELD - 1 {
                tokio::task::yield_now().await;
            }
        }
    }
    // The server remembers the tokens of each table.
    let token = deduplication_token(blocks);
    for (table, ticks) in [("amendments", amendments), ("trades", trades)] {
        if ticks.is_empty() {
            continue;
        }
        let written =
            server.convert_and_count_error(send_rows(server, table, &token, &ticks).await);
        if matches!(written, Err(StoreError::Corrupt { .. })) {
            // The table may have changed since the client read its columns.
            server.client().clear_cached_metadata().await;
        }
        written?;
    }
    Ok(())
}

type DecodedTick<'a> = (&'a TickBlock, &'a TickRecord, (Trade, Option<Amendment>));

/// Sends the rows of one insert into a table.
async fn send_rows(
    server: &ClickHouseServer,
    table: &str,
    token: &str,
    ticks: &[DecodedTick<'_>],
) -> Result<(), Error> {
    let (send_timeout, receive_timeout) = server.send_and_receive_timeouts();
    let begun = server.client().insert::<InsertedTickRow<'_>>(table);
    let begun = clock::timeout(&SystemClock, receive_timeout, begun).await;
    let mut insert = begun
        .unwrap_or(Err(Error::TimedOut))?
        .with_timeouts(Some(send_timeout), Some(receive_timeout))
        .with_setting("insert_deduplicate", "1")
        .with_setting("insert_deduplication_token", token)
        // The server must write the rows as one block, and so as one part for each day of their
        // append times. If it divided them, each piece would be written separately.
        .with_setting("async_insert", "0")
        .with_setting("max_insert_threads", "1")
        .with_setting("max_insert_block_size", ticks.len().to_string())
        .with_setting("max_insert_block_size_bytes", "0")
        .with_setting("min_insert_block_size_rows", ticks.len().to_string())
        .with_setting("min_insert_block_size_bytes", "0")
        // A log that is archived late may span more days than the 100 that are allowed by default.
        .with_setting("max_partitions_per_insert_block", "0");
    for (number, (block, record, (trade, amendment))) in ticks.iter().enumerate() {
        insert
            .write(&to_inserted_row(block, record, trade, amendment.as_ref()))
            .await?;
        if number % ROWS_PER_YIELD == ROWS_PER_YIELD - 1 {
            tokio::task::yield_now().await;
        }
    }
    insert.end().await
}

/// Decodes a record, which must be a trade, an edit or a cancel.
fn decode_record(
    server: &ClickHouseServer,
    record: &TickRecord,
) -> Result<(Trade, Option<Amendment>), StoreError> {
    match TradesTopicRecord::decode(&record.value) {
        Ok(TradesTopicRecord::Trade(trade)) => Ok((trade, None)),
        Ok(TradesTopicRecord::Amendment(amendment, trade)) => Ok((trade, Some(amendment))),
        Ok(_) => Err(server.counted_corrupt_error(format!(
            "the record at offset {} is not a tick",
            record.offset
        ))),
        Err(error) => Err(server
            .counted_corrupt_error(format!("the record at offset {}: {error}", record.offset))),
    }
}

/// Converts a tick to the row that is inserted.
fn to_inserted_row<'a>(
    block: &'a TickBlock,
    record: &TickRecord,
    trade: &'a Trade,
    amendment: Option<&'a Amendment>,
) -> InsertedTickRow<'a> {
    let (id_kind, id_number, id_text) = match &trade.id {
        None => (ID_NONE, 0, ""),
        Some(TradeId::Number(number)) => (ID_NUMBER, *number, ""),
        Some(TradeId::Digits(text)) => (ID_DIGITS, 0, &**text),
        Some(TradeId::Text(text)) => (ID_TEXT, 0, &**text),
    };
    let target = amendment.and_then(|amendment| amendment.target_position);
    InsertedTickRow {
        venue: block.instrument.venue(),
        symbol: block.instrument.symbol(),
        hour_ns: block.hour_ns,
        epoch: block.epoch,
        partition: block.partition,
        offset: record.offset,
        append_time_ns: record.append_time_ns,
        time_ns: trade.time_ns,
        kind: match amendment.map(|amendment| amendment.kind) {
            None => KIND_TRADE,
            Some(AmendmentKind::Edit) => KIND_EDIT,
            Some(AmendmentKind::Cancel) => KIND_CANCEL,
        },
        price: decimal_to_column(trade.price),
        quantity: trade.quantity.map(decimal_to_column),
        side: match trade.side {
            None => SIDE_NONE,
            Some(Side::Buy) => SIDE_BUY,
            Some(Side::Sell) => SIDE_SELL,
        },
        id_kind,
        id_number,
        id_text,
        scope: trade.scope.as_deref(),
        sender_key: trade.sender.map(|sender| sender.key),
        sender_index: trade.sender.map_or(0, |sender| sender.index),
        amendment_id: amendment.map_or_else(String::new, |amendment| amendment.id.to_string()),
        target_epoch: target.map(|position| position.epoch),
        target_offset: target.map(|position| position.offset),
    }
}

/// Returns a token that is equal for two inserts if and only if they hold the same records.
///
/// The digest covers every offset, because two inserts may have the same first and last offset and
/// differ in between.
fn deduplication_token(blocks: &[TickBlock]) -> String {
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

    use super::deduplication_token;
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
    fn a_deduplication_token_identifies_the_records() {
        let known = deduplication_token(&[block(1, 2, &[3, 4, 9])]);
        assert!(known.starts_with("1-2-3-9-"), "{known}");
        assert_eq!(known, deduplication_token(&[block(1, 2, &[3, 4, 9])]));
        for other in [
            vec![block(1, 2, &[3, 5, 9])],
            vec![block(1, 2, &[3, 9])],
            vec![block(1, 3, &[3, 4, 9])],
            vec![block(2, 2, &[3, 4, 9])],
            vec![block(1, 2, &[3]), block(1, 2, &[4, 9])],
        ] {
            assert_ne!(known, deduplication_token(&other));
        }
    }
}
