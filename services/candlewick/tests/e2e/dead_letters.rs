//! Records that were not counted: listed, shown, and sent again.

use std::path::Path;

use clock::SystemClock;
use connect::{DataFolder, DataFolderOptions};
use eventlog::{Log, NewRecord};
use market::{Instrument, Trade, TradeId};
use schemas::TradesTopicRecord;
use serde_json::json;

use crate::support::{
    Finished, TestProcess, candlewick, counted_trades, eventually, trades, until,
};

/// 2024-05-01T10:00:00Z.
const BEGIN_NS: i64 = 1_714_557_600_000_000_000;
const GARBAGE: &[u8] = b"\x92\x01\xc1 no record";

fn trade(id: Option<u64>) -> Vec<u8> {
    let trade = Trade {
        time_ns: BEGIN_NS,
        price: "1.5".parse().unwrap(),
        quantity: None,
        side: None,
        id: id.map(TradeId::Number),
        scope: None,
        sender: None,
    };
    let mut value = Vec::new();
    TradesTopicRecord::encode_trade(&trade, &mut value);
    value
}

/// Appends records that an API would have rejected, as a foreign producer may.
fn append(data: &Path, key: &str, values: &[Vec<u8>]) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let folder = DataFolder::open_or_create(data, DataFolderOptions::default(), SystemClock)
            .await
            .unwrap();
        let key: Instrument = key.parse().unwrap();
        let key = key.key().as_bytes().to_vec();
        let partition = schemas::partition_of(&key, folder.trades.partition_count());
        let entry = |value: &Vec<u8>| NewRecord {
            key: key.clone().into(),
            value: value.clone().into(),
        };
        let entries = values.iter().map(entry).collect();
        folder.trades.append(partition, entries).await.unwrap();
        folder.close();
    });
}

fn dead_letters(data: &Path, arguments: &[&str]) -> Finished {
    let mut command = candlewick(&["dead-letters"]);
    command.args(arguments).arg("--data").arg(data);
    Finished::of(&mut command)
}

/// Returns the first cell of each line after the header.
fn places(table: &str) -> Vec<String> {
    let lines = table.lines().skip(1);
    lines
        .map(|line| line.split_whitespace().next().unwrap().to_owned())
        .collect()
}

#[test]
fn what_was_not_counted_is_shown_and_counts_once_it_is_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let output = dead_letters(&data, &["list"]);
    assert_eq!(output.code, Some(1));
    assert!(
        output.text.contains("is not a data folder"),
        "{}",
        output.text
    );

    append(
        &data,
        "nobody:X",
        &[trade(Some(7)), GARBAGE.to_vec(), trade(None)],
    );
    let standalone = TestProcess::start(&data);
    let client = standalone.client();
    eventually("dead letters", &Some(3.0), || {
        let metrics = client.metrics();
        metrics
            .get("candlewick_aggregator_dead_letters_total")
            .copied()
    });
    let output = dead_letters(&data, &["list"]);
    assert_eq!(output.code, Some(1));
    assert!(
        output.text.contains("in use by another process"),
        "{}",
        output.text
    );
    standalone.terminate().success();

    let output = dead_letters(&data, &["list"]).success();
    let listed = places(&output);
    assert_eq!(listed.len(), 3, "{output}");
    println!("{output}");
    let output = dead_letters(&data, &["list", "--reason", "malformed"]).success();
    assert_eq!(places(&output), listed[1..2]);
    let output = dead_letters(&data, &["list", "--venue", "nobody", "--limit", "1"]).success();
    assert_eq!(places(&output), listed[..1]);
    let output = dead_letters(&data, &["list", "--symbol", "Y"]).success();
    assert_eq!(output, "there are no such dead letters\n");

    let raw = folder.path().join("raw");
    let output = dead_letters(&data, &["show", &listed[1], "--raw", raw.to_str().unwrap()]);
    let output = output.success();
    assert!(output.contains("92 01 c1 20 6e 6f"), "{output}");
    assert_eq!(std::fs::read(&raw).unwrap(), GARBAGE);
    let output = dead_letters(&data, &["show", &listed[2]]).success();
    assert!(
        output.contains("venue_unknown") && output.contains("1.5"),
        "{output}"
    );
    println!("{output}");

    // Standard input is empty, so the command is not confirmed.
    let output = dead_letters(&data, &["replay", "--reason", "venue_unknown"]);
    assert_eq!(output.code, Some(1), "{}", output.text);
    replay(&data);
}

fn replay(data: &Path) {
    let standalone = TestProcess::start(data);
    standalone
        .client()
        .declare_venue("nobody", &json!({"id_scheme": "unique"}));
    standalone.terminate().success();
    let arguments = ["replay", "--reason", "venue_unknown", "--yes"];
    for _ in 0..2 {
        let output = dead_letters(data, &arguments).success();
        assert!(output.contains("2 records were sent"), "{output}");
        assert!(
            output.contains("1 of them are trades that are known by their position"),
            "{output}"
        );
    }
    let standalone = TestProcess::start(data);
    let client = standalone.client();
    // The trade with an id counts once, the other each time.
    eventually("the trades counted", &3, || {
        counted_trades(&client, "nobody", "X")
    });
    let listed = until("the trades", || {
        let listed = trades(&client, "nobody", "X");
        (listed.len() == 3).then_some(listed)
    });
    assert_eq!(listed[0]["id"], "7");
    standalone.terminate().success();
}
