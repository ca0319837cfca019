//! Generated tapes, hostile on purpose, against a second fold in another language.

use crate::support::{
    Finished, Fold, Key, Oracle, Standalone, Tables, TestClient, assert_equal, bars_by, figure,
    insert, replay, settle, tables, verify,
};

const TRADES: u32 = 100_000;
const SYMBOLS: u32 = 7;

/// Days that begin elsewhere than at midnight UTC: New York's has 23 hours on 2024-03-10, and its
/// 02:30 does not exist then.
const DAYS: [(&str, &str); 4] = [
    ("22:00", "America/New_York"),
    ("02:30", "America/New_York"),
    ("00:00", "Asia/Kathmandu"),
    ("02:30", "Australia/Lord_Howe"),
];

/// Replays a tape of ids of a kind, and compares every bar with the second fold's.
fn compare(seed: u32, ids: &str, scheme: &str, identity: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let (data, tape) = (folder.path().join("data"), folder.path().join("tape.csv"));
    let oracle = Oracle::new();
    oracle.generate(seed, TRADES, SYMBOLS, ids, &tape);
    let Fold {
        tables: expected,
        trades,
        duplicates,
    } = oracle.fold("alpha", &[&tape], identity);

    let standalone = Standalone::start(&data);
    let client = standalone.client();
    let options = ["--id-scheme", scheme];
    let mut command = replay(&standalone, folder.path(), "alpha", &[&tape], &options);
    Finished::of(&mut command).success();
    settle(&client, trades, duplicates);

    let actual = tables(&client, &expected);
    assert_equal(&format!("generated with {ids} ids"), &expected, &actual);
    for (day_start, zone) in DAYS {
        let mut options = vec![
            "--intervals",
            "1d",
            "--day-start",
            day_start,
            "--zone",
            zone,
        ];
        options.extend(identity);
        let expected = oracle.fold("alpha", &[&tape], &options).tables;
        let actual = days(&client, &expected, day_start, zone);
        let what = format!("generated with {ids} ids, days from {day_start} in {zone}");
        assert_equal(&what, &expected, &actual);
    }
    let late = client.metrics()["candlewick_aggregator_late_trades_total"];
    println!("{ids}: {trades} trades, {duplicates} duplicates, {late} late");
    assert!(late > 0.0, "the tape is not hostile enough");
    let told = verify(&data, trades);
    assert_eq!(figure(&told, "left out: duplicate"), duplicates, "{told}");

    // Once more, the whole file: whatever its ids, nothing is new.
    let mut command = replay(&standalone, folder.path(), "alpha", &[&tape], &options);
    Finished::of(&mut command).success();
    settle(&client, trades, duplicates + trades + duplicates);
    let again = tables(&client, &expected);
    assert_equal(&format!("{ids} ids, sent twice"), &expected, &again);
    standalone.terminate().success();
}

/// Days that begin where a zone says, of every symbol that is expected.
fn days(client: &TestClient, expected: &Tables, day_start: &str, zone: &str) -> Tables {
    let query = format!("interval=1d&day_start={day_start}&zone={zone}");
    let mut tables = Tables::new();
    for Key { venue, symbol, .. } in expected.keys() {
        let key = Key {
            venue: venue.clone(),
            symbol: symbol.clone(),
            interval: "1d".to_owned(),
        };
        insert(&mut tables, &key, &bars_by(client, venue, symbol, &query));
    }
    tables
}

#[test]
fn contiguous_ids() {
    compare(1, "contiguous", "contiguous", &[]);
}

#[test]
fn uuids() {
    compare(2, "uuid", "unique", &["--ids", "exact"]);
}

#[test]
fn ids_with_holes() {
    compare(3, "holes", "unique", &["--ids", "exact"]);
}

#[test]
fn no_ids() {
    compare(4, "none", "none", &[]);
}
