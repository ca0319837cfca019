use super::*;
use crate::submit::{compact, json, msgpack};

const COUNT: usize = 100_000;

/// An array of so many ones.
fn ones() -> Vec<u8> {
    let mut body = vec![0xdd];
    body.extend(u32::try_from(COUNT).unwrap().to_be_bytes());
    body.extend([1; COUNT]);
    body
}

#[test]
fn elements_that_are_no_trades_are_counted_and_the_first_listed() {
    let array = format!("[1{}]", ",1".repeat(COUNT - 1));
    let lines = "1\n".repeat(COUNT);
    for submission in [
        msgpack::read(&ones(), None).unwrap(),
        json::read(array.as_bytes(), None).unwrap(),
        json::read_lines(lines.as_bytes(), None),
    ] {
        assert_eq!(submission.rejected_total, COUNT as u64);
        assert_eq!(submission.faults["malformed"], COUNT as u64);
        let indexes: Vec<_> = submission.rejected.iter().map(|one| one.index).collect();
        assert_eq!(indexes, Vec::from_iter(0..LISTED_LIMIT));
        assert!(submission.rejected.capacity() <= 2 * LISTED_LIMIT);
        assert!(submission.trades.is_empty());
    }
}

#[test]
fn records_that_do_not_decode_are_counted_and_the_first_listed() {
    let mut body = vec![0x94, 1, 0xa1, b'v', 0x91, 0xa1, b'S', 0xdd];
    body.extend(u32::try_from(COUNT).unwrap().to_be_bytes());
    for _ in 0..COUNT {
        body.extend([0x92, 0, 0xc4, 0]);
    }
    let submission = compact::read(&body, None).unwrap();
    assert_eq!(submission.rejected_total, COUNT as u64);
    assert_eq!(submission.rejected.len(), LISTED_LIMIT);
}

#[test]
fn what_the_producer_refuses_takes_its_place_among_the_first() {
    let good = r#"{"venue":"v","symbol":"S","time":0,"price":1}"#;
    let body = format!("[{good}{}]", format!(",1,{good}").repeat(COUNT / 2));
    let mut submission = json::read(body.as_bytes(), None).unwrap();
    let refused: Vec<_> = (0..submission.trades.len())
        .map(|place| (place, RejectReason::PriceNotPositive))
        .collect();
    submission.reject(&refused);
    assert_eq!(submission.rejected_total, COUNT as u64 + 1);
    let indexes: Vec<_> = submission.rejected.iter().map(|one| one.index).collect();
    assert_eq!(indexes, Vec::from_iter(0..LISTED_LIMIT));
}
