use market::{HOUR_NS, Trade};

use super::*;

const APPEND_NS: i64 = 1_700_000_000_000_000_000;
const EPOCH: u64 = 3;

fn record(offset: u64, key: &str, time_ns: i64) -> Record {
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
    TradesRecord::encode_trade(&trade, &mut value);
    Record {
        offset,
        append_time_ns: APPEND_NS,
        key: Bytes::copy_from_slice(key.as_bytes()),
        value: value.into(),
    }
}

fn blocks() -> Blocks {
    Blocks::new(0, 1, EPOCH, 0)
}

#[test]
fn nothing_is_kept_of_what_was_taken() {
    let mut blocks = blocks();
    for offset in 0..1_000 {
        // A venue that nobody declared: the fold rejects it, the archive cannot know.
        blocks.push(&record(offset, &format!("made-up:{offset}"), 0));
    }
    assert_eq!(blocks.take().len(), 1_000);
    let kept = (blocks.instruments.len(), blocks.names.len());
    assert_eq!(kept, (0, 0));
    assert!(blocks.is_empty() && blocks.last.is_none());
}

/// A repeat after a crash has to be the same insert, or its token does not name it.
#[test]
fn the_same_records_give_the_same_blocks_whatever_came_before() {
    let records = [
        record(7, "a:Y", HOUR_NS),
        record(8, "a:X", 0),
        record(9, "a:Y", 0),
        record(10, "a:X", 1),
    ];
    let cut = |mut blocks: Blocks| {
        records.iter().for_each(|record| blocks.push(record));
        blocks.take()
    };
    let mut used = blocks();
    used.push(&record(5, "a:X", 0));
    used.push(&record(6, "a:Y", 0));
    used.take();
    let taken = cut(used);
    assert_eq!(taken, cut(blocks()));
    let places = taken.iter().map(|block| {
        let offsets: Vec<_> = block.ticks.iter().map(|tick| tick.offset).collect();
        (block.instrument.key(), block.hour_ns, offsets)
    });
    let expected = [
        ("a:Y", 0, vec![9]),
        ("a:Y", HOUR_NS, vec![7]),
        ("a:X", 0, vec![8, 10]),
    ];
    assert!(places.eq(expected));
}

#[test]
fn no_tick_is_older_than_any_record_before_it() {
    let taken = |blocks: &mut Blocks, offset, append_time_ns| {
        blocks.push(&Record {
            append_time_ns,
            ..record(offset, "a:X", 0)
        });
        let times = blocks.take();
        times[0].ticks[0].append_time_ns - APPEND_NS
    };
    let mut first = blocks();
    assert_eq!(taken(&mut first, 0, APPEND_NS), 0);
    // Not a tick, and of a broker whose clock is ahead.
    first.push(&Record {
        append_time_ns: APPEND_NS + 9,
        value: Bytes::new(),
        ..record(1, "a:X", 0)
    });
    let mut next = Blocks::new(0, 1, EPOCH, first.append_time_ns());
    for blocks in [&mut first, &mut next] {
        assert_eq!(taken(blocks, 2, APPEND_NS + 5), 9);
        assert_eq!(taken(blocks, 3, APPEND_NS + 20), 20);
    }
}
