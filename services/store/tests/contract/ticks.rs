//! Ticks.

use candlewick_store::{ArchiveProgress, StoreError, Tick, TickBlock, TickRecord, TickStore};
use market::{
    Amendment, AmendmentKind, HOUR_NS, Instrument, Position, SenderTradeId, Side, Trade, TradeId,
};
use schemas::TradesTopicRecord;

use crate::fixtures::{block, instrument, tick, trade};

async fn read(store: &impl TickStore, start_ns: i64, end_ns: i64) -> Vec<Tick> {
    let btc = instrument("binance:BTCUSDT");
    store.read(&btc, start_ns, end_ns).await.unwrap()
}

async fn read_offsets(store: &impl TickStore, start_ns: i64, end_ns: i64) -> Vec<(u64, u64)> {
    let ticks = read(store, start_ns, end_ns).await;
    let positions = ticks
        .iter()
        .map(|tick| (tick.position.epoch, tick.position.offset));
    positions.collect()
}

pub(crate) async fn written_rows_are_read_back(store: &impl TickStore) {
    store.insert(&[]).await.unwrap();
    let ticks = vec![tick(7, 10), tick(9, 3), tick(u64::MAX, 12)];
    store.insert(&[block(0, u64::MAX, 2, ticks)]).await.unwrap();
    let expected = |offset, time_ns| Tick {
        trade: trade(time_ns, offset),
        amendment: None,
        position: Position {
            epoch: u64::MAX,
            offset,
        },
        append_time_ns: time_ns + 5,
    };
    let all = read(store, 0, HOUR_NS).await;
    assert_eq!(
        all,
        [expected(7, 10), expected(9, 3), expected(u64::MAX, 12)]
    );
    let eth = instrument("binance:ETHUSDT");
    assert_eq!(store.read(&eth, i64::MIN, i64::MAX).await.unwrap(), []);
    store.sync().await.unwrap();
}

pub(crate) async fn repeats_and_overlaps_are_read_once(store: &impl TickStore) {
    let cut = |offsets: std::ops::Range<u64>| {
        block(0, 0, 0, offsets.map(|offset| tick(offset, 5)).collect())
    };
    store.insert(&[cut(0..10)]).await.unwrap();
    store.insert(&[cut(0..10)]).await.unwrap();
    let btc = instrument("binance:BTCUSDT");
    assert_eq!(
        store
            .hours_with_tick_count_upper_bounds(&btc, 0, HOUR_NS)
            .await
            .unwrap(),
        [(0, 10)]
    );
    // After a crash the blocks are split at other offsets.
    store.insert(&[cut(0..4), cut(4..12)]).await.unwrap();
    let expected: Vec<_> = (0..12).map(|offset| (0, offset)).collect();
    assert_eq!(read_offsets(store, 0, HOUR_NS).await, expected);
    // The same offset of another partition or epoch is another tick.
    store
        .insert(&[block(0, 0, 1, vec![tick(3, 5)])])
        .await
        .unwrap();
    store
        .insert(&[block(0, 1, 0, vec![tick(3, 5)])])
        .await
        .unwrap();
    let read = read_offsets(store, 0, HOUR_NS).await;
    assert_eq!(
        read.iter().filter(|position| **position == (0, 3)).count(),
        2
    );
    assert_eq!((read.len(), read.last()), (14, Some(&(1, 3))));
}

pub(crate) async fn reads_are_cut_by_event_time(store: &impl TickStore) {
    // Records that alternate between the hours 0, 1 and 3.
    let ticks = |hour: i64| {
        (0..6_i64).map(move |at| {
            tick(
                at.unsigned_abs() * 4 + hour.unsigned_abs(),
                hour * HOUR_NS + at * 10,
            )
        })
    };
    let blocks: Vec<_> = [0, 1, 3]
        .map(|hour| block(hour, 0, 0, ticks(hour).collect()))
        .into();
    store.insert(&blocks).await.unwrap();
    assert_eq!(read_offsets(store, i64::MIN, i64::MAX).await.len(), 18);
    assert_eq!(read_offsets(store, 10, 21).await, [(0, 4), (0, 8)]);
    assert_eq!(
        read_offsets(store, 50, HOUR_NS + 1).await,
        [(0, 1), (0, 20)]
    );
    assert_eq!(read_offsets(store, 51, HOUR_NS).await, []);
    assert_eq!(read_offsets(store, 20, 20).await, []);

    let btc = instrument("binance:BTCUSDT");
    let hours = async |start_ns, end_ns| {
        store
            .hours_with_tick_count_upper_bounds(&btc, start_ns, end_ns)
            .await
            .unwrap()
    };
    let all = [(0, 6), (HOUR_NS, 6), (3 * HOUR_NS, 6)];
    assert_eq!(hours(i64::MIN, i64::MAX).await, all);
    assert_eq!(hours(30, 3 * HOUR_NS).await, all[..2]);
    assert_eq!(hours(51, HOUR_NS).await, []);
}

pub(crate) async fn positions_come_in_order(store: &impl TickStore) {
    let blocks = [
        block(0, 2, 0, vec![tick(1, 3), tick(4, 1)]),
        block(1, 1, 0, vec![tick(8, HOUR_NS)]),
        block(0, 1, 0, vec![tick(7, 3), tick(9, 1)]),
    ];
    store.insert(&blocks).await.unwrap();
    let read = read_offsets(store, 0, 2 * HOUR_NS).await;
    assert_eq!(read, [(1, 7), (1, 8), (1, 9), (2, 1), (2, 4)]);
}

pub(crate) async fn a_large_block_comes_back_whole(store: &impl TickStore) {
    const TICKS: u64 = 150_000;
    let ticks: Vec<_> = (0..TICKS).map(|offset| tick(offset, 1)).collect();
    store.insert(&[block(0, 0, 0, ticks)]).await.unwrap();
    let read = read_offsets(store, 0, 2).await;
    assert!(read.into_iter().eq((0..TICKS).map(|offset| (0, offset))));
    let btc = instrument("binance:BTCUSDT");
    assert_eq!(
        store
            .hours_with_tick_count_upper_bounds(&btc, 0, 2)
            .await
            .unwrap(),
        [(0, TICKS)]
    );
}

pub(crate) async fn a_position_never_goes_back(store: &impl TickStore) {
    assert_eq!(store.archive_progress(0).await.unwrap(), None);
    assert_eq!(store.next_archive_position(0).await.unwrap(), None);
    let at = |epoch, offset, append_time_ns| ArchiveProgress {
        next_position: Position { epoch, offset },
        append_time_ns,
    };
    for (noted, kept) in [
        (at(0, 0, 0), at(0, 0, 0)),
        (at(0, 7, 50), at(0, 7, 50)),
        (at(0, 3, 20), at(0, 7, 50)),
        (at(1, 0, 50), at(1, 0, 50)),
        (at(0, u64::MAX, 40), at(1, 0, 50)),
        (at(1, 9, 40), at(1, 9, 50)),
        (at(1, 8, 60), at(1, 9, 60)),
        (at(1, u64::MAX, i64::MAX), at(1, u64::MAX, i64::MAX)),
        (at(u64::MAX, 1, 70), at(u64::MAX, 1, i64::MAX)),
    ] {
        store.advance_archive_progress(0, noted).await.unwrap();
        assert_eq!(store.archive_progress(0).await.unwrap(), Some(kept));
        assert_eq!(
            store.next_archive_position(0).await.unwrap(),
            Some(kept.next_position)
        );
    }
    assert_eq!(store.archive_progress(1).await.unwrap(), None);
}

pub(crate) async fn old_blocks_expire(store: &impl TickStore) {
    let blocks = [
        block(0, 0, 0, vec![tick(0, 10), tick(1, 90)]),
        block(0, 0, 0, vec![tick(2, 10), tick(3, 20)]),
    ];
    store.insert(&blocks).await.unwrap();
    // Each was appended 5 ns after its event time.
    assert_eq!(store.delete_expired_block_batch(25, 25).await.unwrap(), 0);
    assert_eq!(store.delete_expired_block_batch(26, 26).await.unwrap(), 1);
    assert_eq!(read_offsets(store, 0, 100).await, [(0, 0), (0, 1)]);
    assert_eq!(
        store
            .delete_expired_block_batch(i64::MAX, i64::MAX)
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        store
            .delete_expired_block_batch(i64::MAX, i64::MAX)
            .await
            .unwrap(),
        0
    );
}

/// Returns the record of a cancel of the trade with the number `offset`.
pub(crate) fn cancel(offset: u64, time_ns: i64) -> TickRecord {
    let amendment = Amendment {
        id: TradeId::Number(offset),
        kind: AmendmentKind::Cancel,
        target_position: None,
    };
    let mut value = Vec::new();
    TradesTopicRecord::Amendment(amendment, trade(time_ns, offset)).encode(&mut value);
    TickRecord {
        value: value.into(),
        ..tick(offset, time_ns)
    }
}

pub(crate) async fn amendments_outlive_trades(store: &impl TickStore) {
    let ticks = vec![tick(0, 10), cancel(1, 10), tick(2, 10), cancel(3, 50)];
    store.insert(&[block(0, 0, 0, ticks)]).await.unwrap();
    let all = [(0, 0), (0, 1), (0, 2), (0, 3)];
    assert_eq!(read_offsets(store, 0, 100).await, all);
    // After a crash the blocks are split at other offsets.
    let ticks = vec![cancel(1, 10), tick(2, 10)];
    store.insert(&[block(0, 0, 0, ticks)]).await.unwrap();
    assert_eq!(read_offsets(store, 0, 100).await, all);

    // Each was appended 5 ns after its event time.
    assert_eq!(store.delete_expired_block_batch(16, 15).await.unwrap(), 2);
    assert_eq!(read_offsets(store, 0, 100).await, [(0, 1), (0, 3)]);
    let btc = instrument("binance:BTCUSDT");
    let hours = store.hours_with_tick_count_upper_bounds(&btc, 0, 100).await;
    assert_eq!(hours.unwrap(), [(0, 3)]);
    // The block of offset 1 alone has expired. The other holds offset 1 too, and is kept whole.
    assert_eq!(store.delete_expired_block_batch(16, 16).await.unwrap(), 1);
    assert_eq!(read_offsets(store, 0, 100).await, [(0, 1), (0, 3)]);
    assert_eq!(store.delete_expired_block_batch(16, 56).await.unwrap(), 1);
    assert_eq!(read_offsets(store, 0, 100).await, []);
}

/// A store may detect it when a record is inserted or when it is read.
pub(crate) async fn a_tick_that_is_no_trade_is_corrupt(store: &impl TickStore) {
    let mut advance = tick(0, 1);
    let mut value = Vec::new();
    TradesTopicRecord::Advance.encode(&mut value);
    advance.value = value.into();
    let mut broken = tick(0, 1);
    broken.value = vec![0xc1, 0x00].into();
    for (hour, record) in [(0, advance), (1, broken)] {
        let wrong = TickBlock {
            hour_ns: hour * HOUR_NS,
            ..block(hour, 0, 0, vec![record])
        };
        let btc = instrument("binance:BTCUSDT");
        let error = match store.insert(&[wrong]).await {
            Ok(()) => store.read(&btc, i64::MIN, i64::MAX).await.unwrap_err(),
            Err(error) => error,
        };
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
        store
            .delete_expired_block_batch(i64::MAX, i64::MAX)
            .await
            .unwrap();
    }
    assert_eq!(read_offsets(store, i64::MIN, i64::MAX).await, []);
}

/// Writes records of the first hour from offset 0 on, and reads them back.
pub(crate) async fn write_and_read(
    store: &impl TickStore,
    instrument: &Instrument,
    records: &[TradesTopicRecord],
) -> Vec<Tick> {
    let ticks = (0_u64..).zip(records).map(|(offset, record)| {
        let mut value = Vec::new();
        record.encode(&mut value);
        TickRecord {
            value: value.into(),
            ..tick(offset, 1)
        }
    });
    let block = TickBlock {
        instrument: instrument.clone(),
        ..block(0, 0, 0, ticks.collect())
    };
    store.insert(&[block]).await.unwrap();
    store.read(instrument, 0, HOUR_NS).await.unwrap()
}

pub(crate) async fn every_value_comes_back(store: &impl TickStore) {
    let numbers = [
        "0",
        "0.000000000000000001",
        "-0.999999999999999999",
        "999999999999999999",
        "-123456789.123456789",
        "100000000000000000",
        "0.1",
        "60123.45",
    ];
    let ids = [
        "0",
        "18446744073709551615",
        "18446744073709551616",
        "a-7",
        "~'\\\"`",
    ];
    let scopes = [None, Some("NYSE"), Some("tape'1'")];
    let mut trades = Vec::new();
    for (number, price) in numbers.iter().enumerate() {
        for side in [None, Some(Side::Buy), Some(Side::Sell)] {
            let place = trades.len();
            trades.push(Trade {
                time_ns: i64::try_from(place).unwrap(),
                price: price.parse().unwrap(),
                quantity: numbers.get(place % 9).map(|text| text.parse().unwrap()),
                side,
                id: ids.get(place % 6).map(|text| TradeId::parse(text).unwrap()),
                scope: scopes[place % 3].map(Into::into),
                sender: (number % 2 == 0).then_some(SenderTradeId {
                    key: [[0; 16], [255; 16]][number / 2 % 2],
                    index: [0, u64::MAX][number / 2 % 2],
                }),
            });
        }
    }
    let records: Vec<_> = trades
        .iter()
        .cloned()
        .map(TradesTopicRecord::Trade)
        .collect();
    let read = write_and_read(store, &instrument("binance:BTCUSDT"), &records).await;
    assert!(read.iter().all(|tick| tick.amendment.is_none()));
    let read: Vec<_> = read.into_iter().map(|tick| tick.trade).collect();
    assert_eq!(read, trades);
}

pub(crate) async fn amendments_come_back_whole(store: &impl TickStore) {
    let last = Position {
        epoch: u64::MAX,
        offset: u64::MAX,
    };
    let amendments: Vec<_> = [AmendmentKind::Edit, AmendmentKind::Cancel]
        .into_iter()
        .flat_map(|kind| [None, Some(Position::default()), Some(last)].map(|place| (kind, place)))
        .zip(["7", "18446744073709551616", "edit-1", "0", "x", "9"])
        .map(|((kind, target_position), id)| Amendment {
            id: TradeId::parse(id).unwrap(),
            kind,
            target_position,
        })
        .collect();
    let mut records = vec![TradesTopicRecord::Trade(trade(1, 0))];
    for (number, amendment) in (1..).zip(&amendments) {
        records.push(TradesTopicRecord::Amendment(
            amendment.clone(),
            trade(1, number),
        ));
    }
    let read = write_and_read(store, &instrument("binance:BTCUSDT"), &records).await;
    let expected: Vec<_> = std::iter::once(None)
        .chain(amendments.into_iter().map(Some))
        .zip(0..)
        .map(|(amendment, offset)| Tick {
            trade: trade(1, offset),
            amendment,
            position: Position { epoch: 0, offset },
            append_time_ns: 6,
        })
        .collect();
    assert_eq!(read, expected);
}
