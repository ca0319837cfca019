//! A broker that is killed under its clients.
//!
//! All other tests lose the broker too, so it is run alone and by hand, with brokers that may be
//! killed: `CANDLEWICK_STACK_SCRIPTS` is the folder of the `kafka.sh` that started them.
//! `cargo test -p candlewick-kafka --test kafka outage -- --ignored`

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use candlewick_kafka::KafkaLog;
use eventlog::contract::new_record;
use eventlog::{Log, Offset, Record};

use crate::support::{Broker, runtime};

const KILLS: usize = 3;
/// How many records an append has.
const APPEND_RECORDS: usize = 50;

/// Runs `kafka.sh` with this action for broker 1.
fn run_broker_script(action: &str) {
    let folder = std::env::var("CANDLEWICK_STACK_SCRIPTS").expect("the folder of kafka.sh");
    let status = Command::new("bash")
        .arg(Path::new(&folder).join("kafka.sh"))
        .args([action, "1"])
        .status()
        .unwrap();
    assert!(status.success(), "{action}");
}

/// Appends until `stop` is set, and returns how many appends were acknowledged.
async fn append_until_stopped(log: KafkaLog, stop: Arc<AtomicBool>) -> usize {
    let mut round = 0;
    while !stop.load(Ordering::SeqCst) {
        let records = (0..APPEND_RECORDS)
            .map(|n| new_record("key", &(round * APPEND_RECORDS + n).to_string()));
        // An outage is shorter than the delivery timeout, so none may fail.
        log.append(0, records.collect()).await.unwrap();
        round += 1;
    }
    round
}

/// Reads the partition until it has `end` records.
async fn read_until_count(log: KafkaLog, end: Arc<std::sync::OnceLock<usize>>) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    let mut next: Offset = 0;
    while end.get().is_none_or(|end| records.len() < *end) {
        let batch = match log.wait_for_record(0, next).await {
            Ok(()) => log.fetch(0, next, 100_000).await,
            Err(error) => Err(error),
        };
        match batch {
            Ok(batch) => {
                next = batch.next_offset;
                records.extend(batch.records);
            }
            Err(error) => {
                assert!(error.is_transient(), "{error}");
                println!("at {next}: {error}");
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }
    records
}

#[test]
#[ignore = "kills the broker, and needs CANDLEWICK_STACK_SCRIPTS"]
fn a_killed_broker_loses_and_duplicates_nothing() {
    runtime().block_on(async {
        let brokers = Broker::connect();
        let topic = brokers.create_topic("outage", 1).await;
        let log = brokers.open(&topic, 1).await;
        let stop = Arc::new(AtomicBool::new(false));
        let end = Arc::new(std::sync::OnceLock::new());
        let appending = tokio::spawn(append_until_stopped(log.clone(), stop.clone()));
        let following = tokio::spawn(read_until_count(log.clone(), end.clone()));
        for _ in 0..KILLS {
            std::thread::sleep(Duration::from_secs(2));
            run_broker_script("kill");
            std::thread::sleep(Duration::from_secs(2));
            run_broker_script("start-one");
        }
        std::thread::sleep(Duration::from_secs(2));
        stop.store(true, Ordering::SeqCst);
        let count = appending.await.unwrap() * APPEND_RECORDS;
        end.set(count).unwrap();
        // One more record, so that the last wait of the reader ends.
        log.append(0, vec![new_record("key", &count.to_string())])
            .await
            .unwrap();
        let records = following.await.unwrap();
        println!("{count} records, {KILLS} kills");
        assert!(count > APPEND_RECORDS * KILLS);
        for (n, record) in records.iter().enumerate() {
            assert_eq!(record.value, n.to_string());
        }
        assert!(records.len() >= count);
        assert_eq!(log.check_epoch().await, Ok(()));
        brokers.delete_topic(&topic).await;
    });
}
