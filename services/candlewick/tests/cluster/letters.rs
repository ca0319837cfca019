//! Dead letters of a cluster: listed, shown, and sent again over the brokers.

use eventlog::NewRecord;
use market::{Instrument, Trade, TradeId};
use schemas::TradesRecord;
use serde_json::json;

use crate::bars::DAY_NS;
use crate::cluster::{Cluster, PARTITIONS};
use crate::support::{counted, eventually};

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
    TradesRecord::encode_trade(&trade, &mut value);
    value
}

/// What a list names, newest first: place and reason.
fn listed(told: &str) -> Vec<(String, String)> {
    let lines = told.lines().filter_map(|line| {
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
    let cluster = Cluster::new("letters");
    let aggregator = cluster.ready("aggregator");
    let archiver = cluster.ready("archiver");
    let api = cluster.ready("api");
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
    // They are counted when they are folded, and in the topic a moment later.
    eventually("dead letters", &2, || {
        listed(&cluster.dead_letters(&["list"]).success()).len()
    });
    // What no Candlewick has written stands in nobody's way.
    send("dead-letters", GARBAGE.to_vec());

    let told = cluster.dead_letters(&["list"]).success();
    println!("{told}");
    let letters = listed(&told);
    let reasons: Vec<_> = letters.iter().map(|(_, reason)| reason.as_str()).collect();
    assert_eq!(&reasons[..2], ["malformed", "venue_unknown"]);
    let garbage = format!("{partition}/2 is no dead letter, and is passed over: ");
    assert!(told.contains(&garbage), "{told}");
    let told = cluster.dead_letters(&["show", &letters[0].0]).success();
    assert!(told.contains("92 01 c1 20 6e 6f"), "{told}");
    let told = cluster.dead_letters(&["show", &format!("{partition}/2")]);
    assert_eq!(told.code, Some(1), "{}", told.text);
    assert!(told.text.contains("92 01 c1 20 6e 6f"), "{}", told.text);

    let client = api.client();
    client.declare_venue("nobody", &json!({"id_scheme": "unique"}));
    for _ in 0..2 {
        let arguments = ["replay", "--reason", "venue_unknown", "--yes"];
        let told = cluster.dead_letters(&arguments).success();
        assert!(told.contains("1 records were sent"), "{told}");
        assert!(told.contains(&garbage), "{told}");
    }
    eventually("the trade counted", &1, || counted(&client, "nobody", "X"));
    let told = cluster.dead_letters(&["list"]).success();
    assert_eq!(listed(&told).len(), letters.len(), "{told}");
    cluster.verify(1);
    for process in [api, archiver, aggregator] {
        process.terminate().success();
    }
}
