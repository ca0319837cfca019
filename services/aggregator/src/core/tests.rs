//! The core through its public interface.

use bytes::Bytes;
use market::{Decimal, IdScheme, MINUTE_NS, Trade, TradeId};
use store::IdSetRow;

use super::rejections::MAX_KEPT_BYTES;
use super::*;

const START_NS: i64 = 1_700_000_000_000_000_000;

fn encoded_record(offset: u64, key: &str, value: Vec<u8>) -> Record {
    Record {
        offset,
        append_time_ns: START_NS + 10 * MINUTE_NS,
        key: Bytes::copy_from_slice(key.as_bytes()),
        value: value.into(),
    }
}

fn venue_record() -> Record {
    let settings = VenueSettings {
        scheme: IdScheme::Contiguous,
        ..VenueSettings::default()
    };
    let mut value = Vec::new();
    TradesTopicRecord::Setting("v".parse().unwrap(), settings).encode(&mut value);
    encoded_record(0, "", value)
}

fn trade_record(offset: u64, key: &str, time_ns: i64, price: i64) -> Record {
    let trade = Trade {
        time_ns,
        price: Decimal::new(price, 0).unwrap(),
        quantity: None,
        side: None,
        id: Some(TradeId::Number(offset)),
        scope: None,
        sender: None,
    };
    let mut value = Vec::new();
    TradesTopicRecord::encode_trade(&trade, &mut value);
    encoded_record(offset, key, value)
}

fn empty_core() -> FoldCore {
    let state = PartitionState {
        progress: PartitionProgress {
            partition: 0,
            epoch: 1,
            next_offset: 0,
            updates_position: Position::default(),
            append_time_ns: 0,
        },
        symbols: Vec::new(),
        venues: Vec::new(),
        open_bars: Vec::new(),
        dirty_minutes: Vec::new(),
        pending_amendments: Vec::new(),
    };
    FoldCore::new(state, 1)
}

/// Answers the load requests as a store that holds nothing.
fn answer_loads_as_empty(core: &mut FoldCore) {
    let load = |request: &LoadRequest| match request.clone() {
        LoadRequest::Bar(key) => LoadedData::Bar(key, None),
        LoadRequest::IdSet(request) => LoadedData::IdSet(request, IdSetRow::default()),
        LoadRequest::Ticks(_) => panic!("nothing is amended"),
    };
    let loaded = core.load_requests().iter().map(load).collect();
    core.accept_loaded(loaded);
}

#[test]
fn a_batch_requests_everything_that_its_trades_need_at_once() {
    let mut records = vec![venue_record()];
    for offset in 1..=200 {
        let key = format!("v:S{}", offset % 50);
        records.push(trade_record(offset, &key, START_NS, 1));
    }
    // Records that are no trades, and trades that are not allowed, need nothing.
    records.push(encoded_record(201, "v:X", vec![255]));
    records.push(trade_record(202, "v:Y", START_NS, -1));
    records.push(trade_record(203, "w:Z", START_NS, 1));
    let mut core = empty_core();
    assert_eq!(core.apply(&records), 1, "the first trade waits");
    assert_eq!(
        core.load_requests().len(),
        50,
        "a set of ids for each symbol"
    );
    answer_loads_as_empty(&mut core);
    assert_eq!(core.apply(&records[1..]), records.len() - 1);
    assert_eq!(core.take_counts().trades, 200);
    assert_eq!(core.take_dead_letters().len(), 3);
}

#[test]
fn closed_minutes_are_requested_together() {
    let now = [trade_record(1, "v:A", START_NS + 9 * MINUTE_NS, 1)];
    let mut core = empty_core();
    core.apply(&[venue_record()]);
    core.apply(&now);
    answer_loads_as_empty(&mut core);
    assert_eq!(core.apply(&now), 1);
    let late: Vec<_> = (2..6)
        .map(|offset| {
            let minute = i64::try_from(offset).unwrap() * MINUTE_NS;
            trade_record(offset, "v:A", START_NS + minute, 1)
        })
        .collect();
    assert_eq!(core.apply(&late), 0);
    let minutes = core.load_requests().iter().filter(|request| match request {
        LoadRequest::Bar(key) => key.window.interval == market::Interval::M1,
        _ => panic!("its ids are in memory"),
    });
    assert_eq!(minutes.count(), 4);
    answer_loads_as_empty(&mut core);
    assert_eq!(core.apply(&late), 4);
}

fn dead_letter_for(value: Vec<u8>) -> DeadLetter {
    let mut core = empty_core();
    assert_eq!(core.apply(&[encoded_record(0, "venue:symbol", value)]), 1);
    let mut dead_letters = core.take_dead_letters();
    assert_eq!(dead_letters.len(), 1);
    dead_letters.remove(0)
}

#[test]
fn a_record_that_is_too_large_for_a_dead_letter_is_cut_and_the_detail_says_so() {
    let whole = dead_letter_for(vec![b'x'; MAX_KEPT_BYTES]);
    assert_eq!(whole.value.len(), MAX_KEPT_BYTES);
    assert!(!whole.detail.contains("are kept"), "{}", whole.detail);
    let cut = dead_letter_for(vec![b'x'; 20 << 20]);
    assert_eq!(cut.value.len(), MAX_KEPT_BYTES);
    assert!(
        cut.detail
            .contains("its value of 20971520 the first 1048576 each are kept"),
        "{}",
        cut.detail
    );
    assert!(cut.encode().len() < 4 << 20);
}
