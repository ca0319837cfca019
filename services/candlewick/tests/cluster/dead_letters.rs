//! Dead letters of a cluster: listed, shown, and sent again over the brokers.

use eventlog::NewRecord;
use market::{Instrument, Trade, TradeId};
use schemas::TradesTopicRecord;
use serde_json::json;

use crate::bars::DAY_NS;
use crate::cluster::{PARTITIONS, TestCluster};
use crate::support::{counted_trades, eventually};

const GARBAGE: &[u8] = b"\x92\x01\xc1 no record";

fn trade(id: u64) -> Vec<u8> {
    let trade = Trade {
        time_ns: DAY_NS,
        price: "1.5".parse().unwrap(),
        quantity: None,
        side: None,
        id: Some(TradeId::Number(id)),
        scope: None,
        sender: None,
    };
    let mut value = Vec::new();
    TradesTopicRecord::encode_trade(&trade, &mut value);
    value
}

/// Returns the position and the reason of each listed dead letter, the newest first.
fn listed_dead_letters(output: &str) -> Vec<(String, String)> {
    let lines = output.lines().filter_map(|line| {
        let mut cells = line.split_whitespace();
        let (place, reason) = (cells.next()?, cells.next()?);
        let (partition, offset) = place.split_once('/')?;
        let is_place = partition.parse::<u32>().is_ok() && offset.parse::<u64>().is_ok();
        is_place.then(|| (place.to_owned(), reason.to_owned()))
    });
    lines.collect()
}

#[test]
fn what_was_not_counted_is_listed_shown_and_sent_again() {
    let cluster = TestCluster::new("letters");
    let aggregator = cluster.start_ready("aggregator");
    let archiver = cluster.start_ready("archiver");
    let api = cluster.start_ready("api");
    let instrument: Instrument = "nobody:X".parse().unwrap();
    let key = instrument.key().as_bytes();
    let partition = schemas::partition_of(key, u32::try_from(PARTITIONS).unwrap());
    let send = |topic: &str, value: Vec<u8>| {
        let entry = NewRecord {
            key: key.to_vec().into(),
            value: value.into(),
        };
        cluster.append(topic, partition, entry);
    };
    send("trades", trade(7));
    send("trades", GARBAGE.to_vec());
    // Dead letters are counted when they are folded, and are in the topic a moment later.
    eventually("dead letters", &2, || {
        listed_dead_letters(&cluster.dead_letters(&["list"]).success()).len()
    });
    // A foreign record in the topic does not prevent the listing.
    send("dead-letters", GARBAGE.to_vec());

    let output = cluster.dead_letters(&["list"]).success();
    println!("{output}");
    let letters = listed_dead_letters(&output);
    let reasons: Vec<_> = letters.iter().map(|(_, reason)| reason.as_str()).collect();
    assert_eq!(&reasons[..2], ["malformed", "venue_unknown"]);
    let garbage = format!("{partition}/2 is not a dead letter and was skipped: ");
    assert!(output.contains(&garbage), "{output}");
    let output = cluster.dead_letters(&["show", &letters[0].0]).success();
    assert!(output.contains("92 01 c1 20 6e 6f"), "{output}");
    let output = cluster.dead_letters(&["show", &format!("{partition}/2")]);
    assert_eq!(output.code, Some(1), "{}", output.text);
    assert!(output.text.contains("92 01 c1 20 6e 6f"), "{}", output.text);

    let client = api.client();
    client.declare_venue("nobody", &json!({"id_scheme": "unique"}));
    for _ in 0..2 {
        let arguments = ["replay", "--reason", "venue_unknown", "--yes"];
        let output = cluster.dead_letters(&arguments).success();
        assert!(output.contains("1 records were sent"), "{output}");
        assert!(output.contains(&garbage), "{output}");
    }
    eventually("the trade counted", &1, || {
        counted_trades(&client, "nobody", "X")
    });
    let output = cluster.dead_letters(&["list"]).success();
    assert_eq!(
        listed_dead_letters(&output).len(),
        letters.len(),
        "{output}"
    );
    cluster.verify(1);
    for process in [api, archiver, aggregator] {
        process.terminate().success();
    }
}
