use market::{HOUR_NS, Trade};

use super::*;

const APPEND_NS: i64 = 1_700_000_000_000_000_000;
const EPOCH: u64 = 3;

fn trade_record(offset: u64, key: &str, time_ns: i64) -> Record {
    let trade = Trade {
        time_ns,
        price: "1.5".parse().unwrap(),
        quantity: None,
        side: None,
        id: None,
        scope: None,
        sender: None,
    };
    let mut value = Vec::new();
    TradesTopicRecord::encode_trade(&trade, &mut value);
    Record {
        offset,
        append_time_ns: APPEND_NS,
        key: Bytes::copy_from_slice(key.as_bytes()),
        value: value.into(),
    }
}

fn empty_blocks() -> BlockBuilder {
    BlockBuilder::new(0, 1, EPOCH, 0)
}

#[test]
fn taken_blocks_leave_nothing_behind() {
    let mut blocks = empty_blocks();
    for offset in 0..1_000 {
        // The venue is not declared: the fold rejects it, the archiver cannot know that.
        blocks.push_if_valid_tick(&trade_record(offset, &format!("made-up:{offset}"), 0));
    }
    assert_eq!(blocks.take_blocks().len(), 1_000);
    let kept = (blocks.indexes.len(), blocks.instruments.len());
    assert_eq!(kept, (0, 0));
    assert!(blocks.is_empty() && blocks.last_key.is_none());
}

/// An insert that is repeated after a crash has to be identical, or its deduplication token
/// differs.
#[test]
fn the_same_records_give_the_same_blocks_whatever_records_came_before() {
    let records = [
        trade_record(7, "a:Y", HOUR_NS),
        trade_record(8, "a:X", 0),
        trade_record(9, "a:Y", 0),
        trade_record(10, "a:X", 1),
    ];
    let take_blocks = |mut blocks: BlockBuilder| {
        records
            .iter()
            .for_each(|record| blocks.push_if_valid_tick(record));
        blocks.take_blocks()
    };
    let mut used = empty_blocks();
    used.push_if_valid_tick(&trade_record(5, "a:X", 0));
    used.push_if_valid_tick(&trade_record(6, "a:Y", 0));
    used.take_blocks();
    let taken = take_blocks(used);
    assert_eq!(taken, take_blocks(empty_blocks()));
    let contents = taken.iter().map(|block| {
        let offsets: Vec<_> = block.ticks.iter().map(|tick| tick.offset).collect();
        (block.instrument.key(), block.hour_ns, offsets)
    });
    let expected = [
        ("a:Y", 0, vec![9]),
        ("a:Y", HOUR_NS, vec![7]),
        ("a:X", 0, vec![8, 10]),
    ];
    assert!(contents.eq(expected));
}

#[test]
fn no_tick_has_an_earlier_append_time_than_a_record_before_it() {
    let append_time_of = |blocks: &mut BlockBuilder, offset, append_time_ns| {
        blocks.push_if_valid_tick(&Record {
            append_time_ns,
            ..trade_record(offset, "a:X", 0)
        });
        let times = blocks.take_blocks();
        times[0].ticks[0].append_time_ns - APPEND_NS
    };
    let mut first = empty_blocks();
    assert_eq!(append_time_of(&mut first, 0, APPEND_NS), 0);
    // A record that is no tick, from a broker whose clock is ahead.
    first.push_if_valid_tick(&Record {
        append_time_ns: APPEND_NS + 9,
        value: Bytes::new(),
        ..trade_record(1, "a:X", 0)
    });
    let mut next = BlockBuilder::new(0, 1, EPOCH, first.greatest_append_time_ns());
    for blocks in [&mut first, &mut next] {
        assert_eq!(append_time_of(blocks, 2, APPEND_NS + 5), 9);
        assert_eq!(append_time_of(blocks, 3, APPEND_NS + 20), 20);
    }
}
