//! Partitions that stand still because a foreign producer leaves a transaction open.

use eventlog::NewRecord;
use market::{Instrument, Trade, TradeId};
use rdkafka::producer::Producer as _;
use schemas::TradesTopicRecord;

use crate::bars::{DAY_NS, SYMBOLS, send, wait_counted};
use crate::cluster::{KAFKA_TIMEOUT, PARTITIONS, TestCluster, wait_for_reason, wait_ready};
use crate::support::{TestProcess, counted_trades, eventually, until};

/// The component of a role that reports partitions that stand still.
const READING: &str = "reading";

/// Returns the partition of a symbol, and a record with a trade of it.
fn record(key: &str) -> (u32, NewRecord) {
    let instrument: Instrument = key.parse().unwrap();
    let key = instrument.key().as_bytes();
    let partition = schemas::partition_of(key, u32::try_from(PARTITIONS).unwrap());
    let trade = Trade {
        time_ns: DAY_NS,
        price: "1.5".parse().unwrap(),
        quantity: None,
        side: None,
        id: Some(TradeId::Number(1_000_000)),
        scope: None,
        sender: None,
    };
    let mut value = Vec::new();
    TradesTopicRecord::encode_trade(&trade, &mut value);
    let entry = NewRecord {
        key: key.to_vec().into(),
        value: value.into(),
    };
    (partition, entry)
}

fn wait_standing_still(process: &TestProcess, topic: &str, partition: u32) {
    let place = format!("partition {partition} of {topic} stands still");
    let reason = wait_for_reason(process, READING, &place);
    let reason = match reason.contains("open transaction") {
        true => reason,
        false => wait_for_reason(process, READING, "open transaction"),
    };
    println!("{reason}");
    assert_eq!(process.client().get("/readyz").status, 503, "{reason}");
    until("the metric", || {
        let seconds = process.client().metrics()["candlewick_standstill_seconds"];
        (seconds >= 5.0).then_some(())
    });
}

/// The end of a transaction takes an offset that holds no record, so the end of the log lies beyond
/// the last record. Roles that start then have read everything.
#[test]
fn roles_are_ready_where_a_partition_ends_with_the_marker_of_a_transaction() {
    let cluster = TestCluster::new("marker");
    let (partition, entry) = record("v:A");
    for topic in ["trades", "bar-updates"] {
        let transaction = cluster.open_transaction(topic, partition, &entry);
        transaction.abort_transaction(KAFKA_TIMEOUT).unwrap();
    }
    // No record follows: without symbols no partition gets advances.
    for role in ["aggregator", "archiver", "api"] {
        cluster.start_ready(role).terminate().success();
    }
    // The venue is unknown, so the trade counts nowhere and makes no symbol.
    let transaction = cluster.open_transaction("trades", partition, &entry);
    transaction.commit_transaction(KAFKA_TIMEOUT).unwrap();
    for role in ["aggregator", "archiver"] {
        cluster.start_ready(role).terminate().success();
    }
}

#[test]
fn an_open_transaction_of_a_foreign_producer_is_named_until_it_ends() {
    let cluster = TestCluster::new("transaction");
    let roles = ["aggregator", "archiver"].map(|role| cluster.start_ready(role));
    let api = cluster.start_ready("api");
    let client = api.client();
    send(&client, 1..3);
    wait_counted(&client, 2);

    let (partition, entry) = record("v:A");
    let transaction = cluster.open_transaction("trades", partition, &entry);
    send(&client, 3..5);
    for role in &roles {
        wait_standing_still(role, "trades", partition);
    }
    // `verify` names it too, although no bar differs from the trades that can be read.
    let verified = cluster.run_verify();
    assert_eq!(verified.code, Some(1), "{}", verified.text);
    let place = format!("partition {partition} of trades stands still before offset");
    let named = verified.text.lines().find(|line| line.contains(&place));
    let named = named.unwrap_or_else(|| panic!("{}", verified.text));
    assert!(named.contains("open transaction"), "{named}");
    // A process that starts now is not ready either, although it has read what it can.
    let [aggregator, archiver] = roles;
    archiver.terminate().success();
    let archiver = cluster.start("archiver", &[]);
    wait_standing_still(&archiver, "trades", partition);
    transaction.abort_transaction(KAFKA_TIMEOUT).unwrap();
    wait_counted(&client, 4);
    for role in [&aggregator, &archiver] {
        wait_ready(role);
    }

    // What was committed counts; the marker at the end is no record that anything waits for.
    let transaction = cluster.open_transaction("trades", partition, &entry);
    wait_standing_still(&aggregator, "trades", partition);
    transaction.commit_transaction(KAFKA_TIMEOUT).unwrap();
    eventually("the committed trade", &5, || {
        counted_trades(&client, "v", "A")
    });
    for role in [&aggregator, &archiver] {
        wait_ready(role);
    }
    cluster.verify(4 * SYMBOLS.len() as u64 + 1);

    // The pods read another topic.
    let garbage = NewRecord {
        key: entry.key,
        value: vec![0xc1].into(),
    };
    let transaction = cluster.open_transaction("bar-updates", partition, &garbage);
    wait_standing_still(&api, "bar-updates", partition);
    transaction.abort_transaction(KAFKA_TIMEOUT).unwrap();
    wait_ready(&api);
    for process in [aggregator, archiver, api] {
        process.terminate().success();
    }
}
