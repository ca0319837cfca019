//! Generated hostile tapes, compared with a second fold in another language.

use crate::support::{
    Finished, FoldedTapes, PythonFold, SeriesKey, Tables, TestClient, TestProcess, assert_equal,
    bars_by, insert, replay, table_number, tables, verify, wait_settled,
};

const TRADES: u32 = 100_000;
const SYMBOLS: u32 = 7;

/// Days that do not start at midnight UTC: New York's 2024-03-10 has 23 hours, and its 02:30 does
/// not exist.
const DAYS: [(&str, &str); 4] = [
    ("22:00", "America/New_York"),
    ("02:30", "America/New_York"),
    ("00:00", "Asia/Kathmandu"),
    ("02:30", "Australia/Lord_Howe"),
];

/// Replays a generated tape, and compares every bar with the second fold's.
fn compare(seed: u32, ids: &str, scheme: &str, identity: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let (data, tape) = (folder.path().join("data"), folder.path().join("tape.csv"));
    let oracle = PythonFold::new();
    oracle.generate(seed, TRADES, SYMBOLS, ids, &tape);
    let FoldedTapes {
        tables: expected,
        trades,
        duplicates,
    } = oracle.fold("alpha", &[&tape], identity);

    let standalone = TestProcess::start(&data);
    let client = standalone.client();
    let options = ["--id-scheme", scheme];
    let mut command = replay(&standalone, folder.path(), "alpha", &[&tape], &options);
    let conflicts = conflicts_of(&Finished::of(&mut command));
    assert_eq!(
        conflicts > 0,
        ids != "none",
        "repeated lines say other prices"
    );
    wait_settled(&client, trades, duplicates);

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
    let output = verify(&data, trades);
    assert_eq!(
        table_number(&output, "excluded: duplicate"),
        duplicates,
        "{output}"
    );
    assert_eq!(table_number(&output, "conflicts"), conflicts, "{output}");

    // The same file is sent again. Every trade is a duplicate, with ids of each kind, and the lines
    // that conflicted the first time conflict again.
    let mut command = replay(&standalone, folder.path(), "alpha", &[&tape], &options);
    assert_eq!(conflicts_of(&Finished::of(&mut command)), conflicts);
    wait_settled(&client, trades, duplicates + trades + duplicates);
    let again = tables(&client, &expected);
    assert_equal(&format!("{ids} ids, sent twice"), &expected, &again);
    standalone.terminate().success();
}

/// Returns how many conflicts a replay counted, which decide its exit status.
fn conflicts_of(finished: &Finished) -> u64 {
    let said = finished.text.lines().find_map(|line| {
        let said = line.strip_prefix("Conflicts: ")?;
        said.strip_suffix('.')
            .or_else(|| said.split_once(' ').map(|(count, _)| count))
    });
    let count = match said.unwrap() {
        "none" => 0,
        count => count.replace(',', "").parse().unwrap(),
    };
    assert_eq!(
        finished.code,
        Some(i32::from(count > 0)),
        "{}",
        finished.text
    );
    count
}

/// Reads the days of a time zone of every expected symbol.
fn days(client: &TestClient, expected: &Tables, day_start: &str, zone: &str) -> Tables {
    let query = format!("interval=1d&day_start={day_start}&zone={zone}");
    let mut tables = Tables::new();
    for SeriesKey { venue, symbol, .. } in expected.keys() {
        let key = SeriesKey {
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
