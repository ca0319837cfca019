use super::*;
use crate::submit::{compact, json, msgpack};

const COUNT: usize = 100_000;

/// Returns a MessagePack array of [`COUNT`] ones.
fn array_of_ones() -> Vec<u8> {
    let mut body = vec![0xdd];
    body.extend(u32::try_from(COUNT).unwrap().to_be_bytes());
    body.extend([1; COUNT]);
    body
}

#[test]
fn elements_that_are_not_trades_are_counted_and_the_first_are_listed() {
    let array = format!("[1{}]", ",1".repeat(COUNT - 1));
    let lines = "1\n".repeat(COUNT);
    for submission in [
        msgpack::read_msgpack_trades(&array_of_ones(), None).unwrap(),
        json::read_json_trades(array.as_bytes(), None).unwrap(),
        json::read_ndjson_trades(lines.as_bytes(), None),
    ] {
        assert_eq!(submission.rejected_total, COUNT as u64);
        assert_eq!(submission.fault_counts["malformed"], COUNT as u64);
        let indexes: Vec<_> = submission.rejected.iter().map(|one| one.index).collect();
        assert_eq!(indexes, Vec::from_iter(0..MAX_LISTED_REJECTIONS));
        assert!(submission.rejected.capacity() <= 2 * MAX_LISTED_REJECTIONS);
        assert!(submission.trades.is_empty());
    }
}

#[test]
fn records_that_do_not_decode_are_counted_and_the_first_are_listed() {
    let mut body = vec![0x94, 1, 0xa1, b'v', 0x91, 0xa1, b'S', 0xdd];
    body.extend(u32::try_from(COUNT).unwrap().to_be_bytes());
    for _ in 0..COUNT {
        body.extend([0x92, 0, 0xc4, 0]);
    }
    let submission = compact::read_compact_trades(&body, None).unwrap();
    assert_eq!(submission.rejected_total, COUNT as u64);
    assert_eq!(submission.rejected.len(), MAX_LISTED_REJECTIONS);
}

#[test]
fn trades_that_the_producer_rejects_are_listed_in_order_of_their_index() {
    let good = r#"{"venue":"v","symbol":"S","time":0,"price":1}"#;
    let body = format!("[{good}{}]", format!(",1,{good}").repeat(COUNT / 2));
    let mut submission = json::read_json_trades(body.as_bytes(), None).unwrap();
    let rejected: Vec<_> = (0..submission.trades.len())
        .map(|index| RejectedTrade {
            index,
            reason: market::RejectReason::PriceNotPositive,
            time_ns: 0,
        })
        .collect();
    submission.add_rejected(&rejected);
    assert_eq!(submission.rejected_total, COUNT as u64 + 1);
    let indexes: Vec<_> = submission.rejected.iter().map(|one| one.index).collect();
    assert_eq!(indexes, Vec::from_iter(0..MAX_LISTED_REJECTIONS));
}
