//! A broker that is killed under its clients.
//!
//! It takes the broker from every other test, so it is run alone and by hand, over brokers that
//! may be killed: `CANDLEWICK_STACK_SCRIPTS` is the folder of the `kafka.sh` that started them.
//! `cargo test -p candlewick-log --test log outage -- --ignored`

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use candlewick_kafka::KafkaLog;
use eventlog::{Log, Offset, Record};

use crate::support::{Broker, entry, runtime};

const KILLS: usize = 3;
/// Appends are of this many records.
const APPEND: usize = 50;

fn broker(action: &str) {
    let folder = std::env::var("CANDLEWICK_STACK_SCRIPTS").expect("the folder of kafka.sh");
    let status = Command::new("bash")
        .arg(Path::new(&folder).join("kafka.sh"))
        .args([action, "1"])
        .status()
        .unwrap();
    assert!(status.success(), "{action}");
}

/// Appends until told to stop, and answers how many appends were acknowledged.
async fn append(log: KafkaLog, stop: Arc<AtomicBool>) -> usize {
    let mut round = 0;
    while !stop.load(Ordering::SeqCst) {
        let entries = (0..APPEND).map(|n| entry("key", &(round * APPEND + n).to_string()));
        // An outage is shorter than the delivery timeout, so none may fail.
        log.append(0, entries.collect()).await.unwrap();
        round += 1;
    }
    round
}

/// Follows the partition until `end` records were seen.
async fn follow(log: KafkaLog, end: Arc<std::sync::OnceLock<usize>>) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    let mut next: Offset = 0;
    while end.get().is_none_or(|end| records.len() < *end) {
        let batch = match log.wait(0, next).await {
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
#[ignore = "kills the broker, which CANDLEWICK_STACK_SCRIPTS has to name"]
fn a_killed_broker_loses_and_doubles_nothing() {
    runtime().block_on(async {
        let brokers = Broker::connect();
        let topic = brokers.make_topic("outage", 1).await;
        let log = brokers.open(&topic, 1).await;
        let stop = Arc::new(AtomicBool::new(false));
        let end = Arc::new(std::sync::OnceLock::new());
        let appending = tokio::spawn(append(log.clone(), stop.clone()));
        let following = tokio::spawn(follow(log.clone(), end.clone()));
        for _ in 0..KILLS {
            std::thread::sleep(Duration::from_secs(2));
            broker("kill");
            std::thread::sleep(Duration::from_secs(2));
            broker("start-one");
        }
        std::thread::sleep(Duration::from_secs(2));
        stop.store(true, Ordering::SeqCst);
        let count = appending.await.unwrap() * APPEND;
        end.set(count).unwrap();
        // The last wait is for a record that may be there already.
        log.append(0, vec![entry("key", &count.to_string())])
            .await
            .unwrap();
        let records = following.await.unwrap();
        println!("{count} records, {KILLS} kills");
        assert!(count > APPEND * KILLS);
        for (n, record) in records.iter().enumerate() {
            assert_eq!(record.value, n.to_string());
        }
        assert!(records.len() >= count);
        assert_eq!(log.check_epoch().await, Ok(()));
        brokers.delete_topic(&topic).await;
    });
}
