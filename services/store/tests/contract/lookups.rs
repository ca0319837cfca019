//! Looking ticks up, and the first deliveries of trades that were delivered again.

use candlewick_store::{
    DuplicateComparison, ExcludedRange, FirstDeliveryFinder, PartitionTransaction, SqliteBarStore,
    TickLookup, TickRecord, TickStore, TickVerdict, TradeField,
};
use market::{
    HOUR_NS, IdScheme, Position, RejectReason, SenderTradeId, Trade, TradeId, VenueSettings,
};
use schemas::TradesTopicRecord;

use crate::fixtures::{block, commit_step, instrument, step, tick, trade};

/// Returns the record of a trade with an id, at an event time and a price.
fn tick_with_id(offset: u64, time_ns: i64, id: &str, price: &str) -> TickRecord {
    let trade = Trade {
        id: Some(TradeId::parse(id).unwrap()),
        price: price.parse().unwrap(),
        ..trade(time_ns, 0)
    };
    tick_of(offset, trade)
}

fn tick_of(offset: u64, trade: Trade) -> TickRecord {
    let mut value = Vec::new();
    let time_ns = trade.time_ns;
    TradesTopicRecord::Trade(trade).encode(&mut value);
    TickRecord {
        value: value.into(),
        ..tick(offset, time_ns)
    }
}

pub(crate) async fn ticks_are_found_by_what_identifies_their_trades(store: &impl TickStore) {
    let of_sender = |offset, key, index| {
        let trade = Trade {
            id: None,
            sender: Some(SenderTradeId {
                key: [key; 16],
                index,
            }),
            ..trade(1, 0)
        };
        tick_of(offset, trade)
    };
    let long = "18446744073709551616";
    let first_hour = vec![
        tick_with_id(0, 1, "7", "1"),
        tick_with_id(1, 1, "007", "1"),
        tick_with_id(2, 1, long, "1"),
        tick_with_id(3, 1, "it's\\7?", "1"),
        of_sender(4, 1, u64::MAX),
        of_sender(5, 2, u64::MAX),
        of_sender(6, 1, 0),
        tick_with_id(7, 1, "7", "2"),
    ];
    let later_hour = vec![tick_with_id(8, 5 * HOUR_NS, "7", "1")];
    let blocks = [block(0, 1, 0, first_hour), block(5, 1, 0, later_hour)];
    store.insert(&blocks).await.unwrap();
    store.insert(&blocks[..1]).await.unwrap();
    let instrument = instrument("binance:BTCUSDT");
    let find = async |trades: &[Trade], end_ns| {
        let mut lookup = TickLookup::default();
        for trade in trades {
            lookup.insert(trade, Position::default());
        }
        let found = store.read_first_matching(&instrument, i64::MIN, end_ns, &lookup);
        let found = found.await.unwrap();
        let offsets = found.iter().map(|tick| tick.position.offset);
        offsets.collect::<Vec<_>>()
    };
    let id = |text: &str| Trade {
        id: Some(TradeId::parse(text).unwrap()),
        ..trade(0, 0)
    };
    let sender = |key, index| Trade {
        id: None,
        sender: Some(SenderTradeId {
            key: [key; 16],
            index,
        }),
        ..trade(0, 0)
    };
    assert_eq!(find(&[id("7")], i64::MAX).await, [0]);
    assert_eq!(find(&[id("7")], HOUR_NS).await, [0]);
    assert_eq!(find(&[id("007"), id("8")], i64::MAX).await, [1]);
    assert_eq!(find(&[id(long), id("it's\\7?")], i64::MAX).await, [2, 3]);
    assert_eq!(find(&[sender(1, u64::MAX)], i64::MAX).await, [4]);
    assert_eq!(find(&[sender(1, 0), id("7")], i64::MAX).await, [0, 6]);
    assert!(find(&[], i64::MAX).await.is_empty());
    let many: Vec<_> = (0..3_000)
        .map(|number: u64| id(&number.to_string()))
        .collect();
    assert_eq!(find(&many, i64::MAX).await, [0]);
}

/// Ids that begin again every day are delivered once a day. A look-up returns one delivery of each
/// trade that it names, however many there are.
pub(crate) async fn a_lookup_returns_one_delivery_of_each_trade(store: &impl TickStore) {
    const DAYS: u64 = 40;
    const IDS: u64 = 5;
    let with_scope = |offset, time_ns, scope: &str| {
        let trade = Trade {
            id: Some(TradeId::Number(0)),
            scope: Some(scope.into()),
            ..trade(time_ns, 0)
        };
        tick_of(offset, trade)
    };
    let blocks: Vec<_> = (0..DAYS)
        .map(|day| {
            let hour = i64::try_from(day * 24).unwrap();
            let time_ns = hour * HOUR_NS;
            let numbered = (0..IDS)
                .map(|id| tick_with_id(day * 10 + id, time_ns, &id.to_string(), &format!("{day}")));
            let scoped = ["X", "Y"]
                .map(|scope| with_scope(day * 10 + IDS + u64::from(scope == "Y"), time_ns, scope));
            block(hour, 1, 0, numbered.chain(scoped).collect())
        })
        .collect();
    // The blocks of the last days come first, and some come twice.
    for block in blocks.iter().rev().chain(&blocks[..3]) {
        store.insert(std::slice::from_ref(block)).await.unwrap();
    }
    // A cancel of a trade is no delivery of it.
    let cancel = TickRecord {
        offset: 0,
        ..crate::ticks::cancel(2, 1)
    };
    store.insert(&[block(0, 1, 1, vec![cancel])]).await.unwrap();
    let instrument = instrument("binance:BTCUSDT");
    let find = async |from: &[(Trade, u64)]| {
        let mut lookup = TickLookup::default();
        for (trade, offset) in from {
            let from = Position {
                epoch: 1,
                offset: *offset,
            };
            lookup.insert(trade, from);
        }
        let found = store.read_first_matching(&instrument, i64::MIN, i64::MAX, &lookup);
        let found = found.await.unwrap();
        let offsets = found.iter().map(|tick| tick.position.offset);
        offsets.collect::<Vec<_>>()
    };
    let id = |number, scope: Option<&str>| Trade {
        id: Some(TradeId::Number(number)),
        scope: scope.map(Into::into),
        ..trade(0, 0)
    };
    let all: Vec<_> = (0..IDS).map(|number| (id(number, None), 0)).collect();
    assert_eq!(find(&all).await, [0, 1, 2, 3, 4]);
    let each_from = [
        (id(0, None), 0),
        (id(1, None), 2),
        (id(2, None), 105),
        (id(3, None), u64::MAX),
        (id(0, Some("Y")), 7),
        (id(9, None), 0),
    ];
    assert_eq!(find(&each_from).await, [0, 11, 16, 112]);
}

/// Deliveries that were rejected are passed over, a whole range of them at once.
pub(crate) async fn rejected_deliveries_are_not_the_first(store: &impl TickStore) {
    const REJECTED: u64 = 100;
    let rejected = ExcludedRange {
        epoch: 1,
        first_offset: 0,
        end_offset: REJECTED,
        verdict: TickVerdict::Rejected(RejectReason::PriceNotPositive),
        append_time_ns: 1,
    };
    let again = ExcludedRange {
        first_offset: REJECTED + 1,
        end_offset: REJECTED + 2,
        ..rejected
    };
    let duplicate = ExcludedRange {
        first_offset: REJECTED + 3,
        end_offset: REJECTED + 4,
        verdict: TickVerdict::Duplicate,
        ..rejected
    };
    let (_kept, bars) = crate::sqlite::bar_store().await;
    let transaction = PartitionTransaction {
        excluded_ranges: vec![rejected, again, duplicate],
        ..step(0, 0, REJECTED + 4)
    };
    commit_step(&bars, transaction).await;
    let ticks = (0..REJECTED + 4)
        .filter(|offset| *offset != REJECTED)
        .map(|offset| tick_with_id(offset, 1, "1", &format!("{offset}")));
    store
        .insert(&[block(0, 1, 0, ticks.collect())])
        .await
        .unwrap();
    let instrument = instrument("binance:BTCUSDT");
    let finder = FirstDeliveryFinder {
        bars: &bars,
        ticks: store,
        instrument: &instrument,
        partition: 0,
        settings: VenueSettings {
            scheme: IdScheme::Contiguous,
            ..VenueSettings::default()
        },
        next: Position {
            epoch: 1,
            offset: REJECTED + 4,
        },
    };
    let mut all = store.read(&instrument, i64::MIN, i64::MAX).await.unwrap();
    let last = all.pop().unwrap();
    let found = finder.find(vec![last], &[]).await.unwrap();
    let first = found[0].first.as_ref().map(|tick| tick.position.offset);
    assert_eq!(first, Some(REJECTED + 2));
}

/// Returns a bar store that has folded the offsets 0 to 5, and has excluded the first as rejected
/// and those from 3 on as duplicates.
async fn bar_store_with_exclusions() -> (impl Sized, SqliteBarStore) {
    let (kept, bars) = crate::sqlite::bar_store().await;
    let excluded = |first_offset, end_offset, verdict| ExcludedRange {
        epoch: 1,
        first_offset,
        end_offset,
        verdict,
        append_time_ns: 1,
    };
    let transaction = PartitionTransaction {
        excluded_ranges: vec![
            excluded(0, 1, TickVerdict::Rejected(RejectReason::PriceNotPositive)),
            excluded(3, 6, TickVerdict::Duplicate),
        ],
        ..step(0, 0, 6)
    };
    commit_step(&bars, transaction).await;
    (kept, bars)
}

/// Contiguous ids belong to no time, so the first delivery may be of another day; it counts only
/// if the fold has not excluded it.
pub(crate) async fn first_deliveries_are_found_wherever_they_are(store: &impl TickStore) {
    let (_kept, bars) = bar_store_with_exclusions().await;
    let day = 24 * HOUR_NS;
    let blocks = [
        block(
            0,
            1,
            0,
            vec![tick_with_id(0, 1, "1", "9"), tick_with_id(1, 2, "1", "5")],
        ),
        block(
            24,
            1,
            0,
            vec![
                tick_with_id(2, day, "2", "6"),
                tick_with_id(3, day, "2", "6"),
            ],
        ),
        block(
            48,
            1,
            0,
            vec![
                tick_with_id(4, 2 * day, "1", "50"),
                tick_with_id(5, 2 * day, "3", "7"),
            ],
        ),
    ];
    store.insert(&blocks).await.unwrap();
    let instrument = instrument("binance:BTCUSDT");
    let finder = FirstDeliveryFinder {
        bars: &bars,
        ticks: store,
        instrument: &instrument,
        partition: 0,
        settings: VenueSettings {
            scheme: IdScheme::Contiguous,
            ..VenueSettings::default()
        },
        next: Position {
            epoch: 1,
            offset: 6,
        },
    };
    let all = store.read(&instrument, i64::MIN, i64::MAX).await.unwrap();
    let later: Vec<_> = all[3..].to_vec();
    let (missing, matched) = finder.match_counted(later.clone(), &all[2..3]);
    assert_eq!((missing.as_slice(), matched.len()), (&later[1..], 1));
    assert_eq!(matched[0].first.as_ref(), Some(&all[2]));
    let found = finder.find(later, &all[2..3]).await.unwrap();
    let compared: Vec<_> = found
        .iter()
        .map(|duplicate| {
            let first = duplicate.first.as_ref().map(|tick| tick.position.offset);
            (first, duplicate.compare())
        })
        .collect();
    let conflict = DuplicateComparison::Conflict(vec![TradeField::Time, TradeField::Price]);
    let expected = [
        (Some(2), DuplicateComparison::Same),
        (Some(1), conflict),
        (None, DuplicateComparison::NotComparable),
    ];
    assert_eq!(compared, expected);
}
