//! Values and calls that several tests use.

use std::sync::Arc;

use bytes::Bytes;
use candlewick_store::{
    BarStore, CommitOutcome, IdSetKey, PartitionProgress, PartitionTransaction, StoredBar,
    SymbolRow, TickBlock, TickRecord,
};
use market::{
    Bar, BarRow, DAY_NS, EdgeTrade, HOUR_NS, Instrument, Interval, Position, Side, Trade, TradeId,
    Window,
};
use schemas::TradesTopicRecord;

pub(crate) fn instrument(text: &str) -> Instrument {
    text.parse().unwrap()
}

/// Returns a trade whose values depend on its number.
pub(crate) fn trade(time_ns: i64, number: u64) -> Trade {
    Trade {
        time_ns,
        price: format!("{}.5", 100 + number % 1_000).parse().unwrap(),
        quantity: Some(format!("0.{}", 1 + number % 999).parse().unwrap()),
        side: [None, Some(Side::Buy), Some(Side::Sell)][(number % 3) as usize],
        id: Some(TradeId::Number(number)),
        scope: None,
        sender: None,
    }
}

/// Returns the bar of one trade, whose values depend on its number.
pub(crate) fn bar(
    instrument: &Instrument,
    interval: Interval,
    start_ns: i64,
    number: u64,
    closed: bool,
) -> StoredBar {
    let through = Position {
        epoch: 1,
        offset: number,
    };
    let append_time_ns = i64::try_from(number).unwrap();
    StoredBar {
        instrument: instrument.clone(),
        row: BarRow {
            window: Window { interval, start_ns },
            bar: Bar::from_trade(&trade(start_ns, number), through, append_time_ns),
            closed,
            revision: number,
            provable: true,
            through,
        },
    }
}

/// The first and the last whole day of event time.
pub(crate) const DAYS_NS: [i64; 2] = [i64::MIN / DAY_NS * DAY_NS, i64::MAX / DAY_NS * DAY_NS];

/// Returns a bar with extreme values.
pub(crate) fn extreme_bar(instrument: &Instrument, start_ns: i64) -> StoredBar {
    let last = Position {
        epoch: u64::MAX,
        offset: u64::MAX,
    };
    let price = "-0.999999999999999999".parse().unwrap();
    let edge = |time_ns, id: &str| EdgeTrade {
        time_ns,
        id: Some(TradeId::parse(id).unwrap()),
        scope: Some("x".repeat(64).into()),
        position: last,
        price,
    };
    let sum = format!("{}.{}", "7".repeat(40), "3".repeat(36));
    StoredBar {
        instrument: instrument.clone(),
        row: BarRow {
            window: Window {
                interval: Interval::D1,
                start_ns,
            },
            bar: Bar {
                open: edge(i64::MIN, "18446744073709551616"),
                close: edge(i64::MAX, &"~".repeat(64)),
                high: "999999999999999999".parse().unwrap(),
                low: price,
                volume: sum.parse().unwrap(),
                buy_volume: format!("-{sum}").parse().unwrap(),
                sell_volume: "0".parse().unwrap(),
                notional: sum.parse().unwrap(),
                trades: u64::MAX,
                admitted: u64::MAX,
                first_append_ns: i64::MAX,
            },
            closed: true,
            revision: u64::MAX,
            provable: true,
            through: last,
        },
    }
}

/// Returns a transaction of a partition of epoch 1 that only moves its progress.
pub(crate) fn step(partition: u32, from: u64, to: u64) -> PartitionTransaction {
    let expected = Position {
        epoch: 1,
        offset: from,
    };
    let progress = PartitionProgress {
        partition,
        epoch: 1,
        next_offset: to,
        updates_position: Position {
            epoch: 3,
            offset: to * 2,
        },
        append_time_ns: i64::try_from(to).unwrap(),
    };
    PartitionTransaction::empty(expected, progress)
}

/// Commits a transaction that must not conflict. It loads the partition first, in case it is new.
pub(crate) async fn commit_step(store: &impl BarStore, transaction: PartitionTransaction) {
    let partition = transaction.progress.partition;
    store
        .load_or_create_partition(partition, transaction.expected.epoch)
        .await
        .unwrap();
    let outcome = store.commit(&transaction).await.unwrap();
    assert_eq!(outcome, CommitOutcome::Committed);
}

pub(crate) fn symbol(text: &str, number: i64) -> SymbolRow {
    SymbolRow {
        instrument: instrument(text),
        watermark_ns: number,
        last_append_ns: number + 1,
        closed_until_ns: number + 2,
        newest_minute_ns: number + 3,
    }
}

pub(crate) fn id_key(instrument_text: &str, scope: &str, bucket_ns: i64) -> IdSetKey {
    IdSetKey {
        instrument: instrument(instrument_text),
        scope: Arc::from(scope),
        bucket_ns,
    }
}

/// Returns a record of the log with one trade.
pub(crate) fn tick(offset: u64, time_ns: i64) -> TickRecord {
    let mut value = Vec::new();
    TradesTopicRecord::encode_trade(&trade(time_ns, offset), &mut value);
    TickRecord {
        offset,
        append_time_ns: time_ns.saturating_add(5),
        time_ns,
        value: Bytes::from(value),
    }
}

/// Returns a block of ticks of BTC.
pub(crate) fn block(hour: i64, epoch: u64, partition: u32, ticks: Vec<TickRecord>) -> TickBlock {
    TickBlock {
        instrument: instrument("binance:BTCUSDT"),
        hour_ns: hour * HOUR_NS,
        partition,
        epoch,
        ticks,
    }
}
