use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn encode(value: &serde_json::Value) -> Vec<u8> {
    rmp_serde::to_vec_named(value).unwrap()
}

#[test]
fn every_kind_of_value_is_skipped_whole() {
    // Arrays, maps, binary and extensions of every length, each as the price.
    let values: [&[u8]; 13] = [
        &[0x92, 1, 2],
        &[0xdc, 0, 1, 1],
        &[0xdd, 0, 0, 0, 1, 1],
        &[0x81, 1, 2],
        &[0xde, 0, 1, 1, 2],
        &[0xdf, 0, 0, 0, 1, 1, 2],
        &[0xc4, 1, 9],
        &[0xc5, 0, 1, 9],
        &[0xc6, 0, 0, 0, 1, 9],
        &[0xd6, 0xff, 1, 2, 3, 4],
        &[0xc7, 1, 5, 9],
        &[0xca, 0, 0, 0, 0],
        &[0xd9, 1, 0xff],
    ];
    for value in values {
        let mut body = vec![0x92, 0x81, 0xa5];
        body.extend(b"price");
        body.extend(value);
        body.extend(encode(
            &json!({"venue": "v", "symbol": "S", "time": 0, "price": 1}),
        ));
        let submission = read_msgpack_trades(&body, None).unwrap();
        assert_eq!(submission.rejected.len(), 1, "{value:x?}");
        assert_eq!(submission.indexes, [1], "{value:x?}");
    }
}

#[test]
fn nesting_has_a_limit() {
    let nested = |depth: usize| {
        let mut body = vec![0x81, 0xa5];
        body.extend(b"price");
        body.extend(vec![0x91; depth]);
        body.push(1);
        body
    };
    assert!(read_msgpack_trades(&nested(16), None).is_ok());
    assert!(read_msgpack_trades(&nested(17), None).is_err());
    assert!(read_msgpack_trades(&nested(1_000_000), None).is_err());
}

#[test]
fn integers_are_exact_to_their_ends() {
    let price = |price: i64| json!({"venue": "v", "symbol": "S", "time": 0, "price": price});
    let greatest = 999_999_999_999_999_999;
    for value in [0, -1, greatest, -greatest, 127, -32, 255, 65_536] {
        let submission = read_msgpack_trades(&encode(&price(value)), None).unwrap();
        assert_eq!(submission.trades[0].1.price.to_string(), value.to_string());
    }
    for value in [greatest + 1, i64::MIN] {
        let submission = read_msgpack_trades(&encode(&price(value)), None).unwrap();
        assert_eq!(submission.rejected[0].field, "price");
    }
}

proptest! {
    #[test]
    fn hostile_bytes_never_panic(bytes in vec(any::<u8>(), 0..200), cut in 0_usize..60) {
        let _ = read_msgpack_trades(&bytes, None);
        let trade = json!([{"venue": "v", "symbol": "S", "time": 0, "price": "1", "id": 7}]);
        let mut whole = encode(&trade);
        whole.truncate(cut);
        whole.extend(bytes);
        let _ = read_msgpack_trades(&whole, None);
    }
}
