//! What only a log on Kafka has to get over: topics made anew, retention, others' writers.

use std::time::Duration;

use candlewick_kafka::{Kafka, KafkaConfig, KafkaLog, MAX_RECORD_BYTES};
use eventlog::{Log, LogError, Offset};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::support::{Broker, entries, entry, eventually, fetch_all, runtime};

/// A task's outcome, which has to come within half a minute.
async fn outcome<T>(what: &str, task: tokio::task::JoinHandle<T>) -> T {
    eventually(what, || task.is_finished().then_some(()));
    task.await.unwrap()
}

#[test]
fn a_topic_that_is_not_there_is_named_at_once() {
    runtime().block_on(async {
        let broker = Broker::connect();
        let error = broker.kafka.topic("no-such-topic").await.err().unwrap();
        assert!(!error.is_transient(), "{error}");
        let text = error.to_string();
        assert!(text.contains("no-such-topic"), "{text}");
        assert!(text.contains("candlewick topics apply"), "{text}");
    });
}

#[test]
fn brokers_that_are_not_there_are_unavailable() {
    runtime().block_on(async {
        let kafka = Kafka::connect(KafkaConfig {
            brokers: "127.0.0.1:1".to_owned(),
            request_timeout: Duration::from_secs(1),
            ..KafkaConfig::default()
        });
        let error = kafka.unwrap().topic("trades").await.err().unwrap();
        assert!(error.is_transient(), "{error}");
    });
}

#[test]
fn a_topic_made_anew_is_noticed_though_it_is_longer() {
    runtime().block_on(async {
        let broker = Broker::connect();
        let name = broker.make_topic("made-anew", 1).await;
        let log = broker.open(&name, 1).await;
        log.append(0, entries("a", 3)).await.unwrap();
        assert_eq!(fetch_all(&log, 0, 0).await.len(), 3);
        assert_eq!(log.check_epoch().await, Ok(()));

        broker.delete_topic(&name).await;
        broker.make(&name, 1).await;
        let anew = broker.open(&name, 2).await;
        anew.append(0, entries("b", 10)).await.unwrap();
        assert_ne!(anew.topic().id(), log.topic().id());
        let recreated = LogError::Recreated {
            topic: name.clone(),
        };
        let asked = (0..10).map(|_| log.check_epoch());
        for outcome in futures_util::future::join_all(asked).await {
            assert_eq!(outcome, Err(recreated.clone()));
        }
        assert_eq!(anew.check_epoch().await, Ok(()));
        broker.delete_topic(&name).await;
    });
}

#[test]
fn a_topic_that_is_deleted_ends_waits_and_fetches() {
    runtime().block_on(async {
        let broker = Broker::connect();
        let name = broker.make_topic("deleted", 1).await;
        let log = broker.open(&name, 1).await;
        log.append(0, entries("a", 3)).await.unwrap();
        assert_eq!(fetch_all(&log, 0, 0).await.len(), 3);
        let waiting = tokio::spawn({
            let log = log.clone();
            async move { log.wait(0, 3).await }
        });
        broker.delete_topic(&name).await;
        let error = outcome("the end of the wait", waiting).await.unwrap_err();
        assert!(error.to_string().contains("no such topic"), "{error}");
        let fetching = tokio::spawn({
            let log = log.clone();
            async move { log.fetch(0, 3, 1_000).await }
        });
        let error = outcome("the end of the fetch", fetching).await.unwrap_err();
        assert!(error.is_transient(), "{error}");
        // It may come again, as another.
        let error = log.check_epoch().await.unwrap_err();
        assert!(error.is_transient(), "{error}");
    });
}

#[test]
fn what_retention_has_dropped_is_out_of_range() {
    runtime().block_on(async {
        let broker = Broker::connect();
        let name = broker.make_topic("retention", 1).await;
        let log = broker.open(&name, 1).await;
        log.append(0, entries("a", 100)).await.unwrap();
        broker.drop_before(&name, 0, 50).await;
        let expected = LogError::OutOfRange {
            partition: 0,
            offset: 10,
            first: 50,
            end: 100,
        };
        assert_eq!(log.fetch(0, 10, 1_000).await, Err(expected));
        assert_eq!(fetch_all(&log, 0, 50).await.len(), 50);
        broker.delete_topic(&name).await;
    });
}

/// Retention overtakes a reader that is at work; and that reader has read ahead only so much.
#[test]
fn a_slow_reader_holds_little_and_is_told_when_it_is_overtaken() {
    const RECORDS: usize = 3_000;
    const RECORD_BYTES: usize = 10_000;
    runtime().block_on(async {
        let broker = Broker::connect();
        let name = broker.make_topic("overtaken", 1).await;
        let kafka = Kafka::connect(KafkaConfig {
            fetch_memory_bytes: 2_000_000,
            ..Broker::config()
        });
        let topic = kafka.unwrap().topic(&name).await.unwrap();
        let log = topic.open(1).unwrap();
        // Not compressible, so that a fetch of 1 MB is one of 1 MB.
        let noise = |n: usize| (0..RECORD_BYTES).map(move |i| (i * i * 7919 + n * 104_729) >> 5);
        for start in (0..RECORDS).step_by(500) {
            let entries = (start..start + 500).map(|n| eventlog::NewRecord {
                key: "k".into(),
                value: noise(n).map(|x| x.to_le_bytes()[0]).collect(),
            });
            log.append(0, entries.collect()).await.unwrap();
        }
        let mut next = log.fetch(0, 0, 1).await.unwrap().next_offset;
        std::thread::sleep(Duration::from_secs(1));
        broker.drop_before(&name, 0, RECORDS as Offset).await;
        let error = loop {
            match log.fetch(0, next, 100_000).await {
                Ok(batch) => next = batch.next_offset,
                Err(error) => break error,
            }
        };
        let expected = LogError::OutOfRange {
            partition: 0,
            offset: next,
            first: RECORDS as Offset,
            end: RECORDS as Offset,
        };
        assert_eq!(error, expected);
        let ahead_bytes = usize::try_from(next).unwrap() * RECORD_BYTES;
        assert!(ahead_bytes < 6_000_000, "{ahead_bytes} were read ahead");
        broker.delete_topic(&name).await;
    });
}

#[test]
fn another_process_wakes_those_who_wait() {
    runtime().block_on(async {
        let broker = Broker::connect();
        let name = broker.make_topic("wakes", 1).await;
        let (ours, theirs) = (broker.open(&name, 1).await, broker.open(&name, 1).await);
        for n in 0..20 {
            let waiting = tokio::spawn({
                let ours = ours.clone();
                async move {
                    ours.wait(0, n).await.unwrap();
                    ours.fetch(0, n, 1_000).await.unwrap()
                }
            });
            theirs.append(0, entries("a", 1)).await.unwrap();
            let batch = outcome("the wait", waiting).await;
            assert_eq!((batch.records.len(), batch.next_offset), (1, n + 1));
        }
        broker.delete_topic(&name).await;
    });
}

/// Clones share one reader a partition: those who look up something here and there take turns.
#[test]
fn those_who_read_at_other_places_at_once_do_not_hold_each_other_up() {
    const READERS: u64 = 24;
    runtime().block_on(async {
        let broker = Broker::connect();
        let name = broker.make_topic("places", 1).await;
        let log = broker.open(&name, 1).await;
        log.append(0, entries("a", 1_000)).await.unwrap();
        let looking_up = |n: u64| {
            let log = log.clone();
            tokio::spawn(async move {
                for round in 0..3 {
                    let offset = (n * 37 + round * 311) % 1_000;
                    let batch = log.fetch(0, offset, 1).await.unwrap();
                    assert_eq!(batch.records[0].offset, offset);
                }
            })
        };
        let looking_up: Vec<_> = (0..READERS).map(looking_up).collect();
        for one in looking_up {
            outcome("a record that is there", one).await;
        }
        broker.delete_topic(&name).await;
    });
}

/// The mark at the end of a transaction has an offset, and is no record.
#[test]
fn others_transactions_do_not_hold_up_a_reader() {
    runtime().block_on(async {
        let broker = Broker::connect();
        let name = broker.make_topic("transactions", 1).await;
        let log = broker.open(&name, 1).await;
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", Broker::config().brokers)
            .set("transactional.id", &name)
            .create()
            .unwrap();
        let patience = Duration::from_secs(20);
        producer.init_transactions(patience).unwrap();
        let send = |text: &str| {
            let record = BaseRecord::to(&name).partition(0).key("k").payload(text);
            producer.send(record).unwrap();
        };
        producer.begin_transaction().unwrap();
        send("one");
        send("two");
        producer.commit_transaction(patience).unwrap();
        producer.begin_transaction().unwrap();
        send("aborted");
        producer.flush(patience).unwrap();
        producer.abort_transaction(patience).unwrap();

        assert_eq!(fetch_all(&log, 0, 0).await.len(), 2);
        assert_eq!(log.bounds(0).await.unwrap().end, 5);
        let empty = log.fetch(0, 2, 1_000).await.unwrap();
        assert_eq!((empty.records.len(), empty.next_offset), (0, 2));
        let waiting = tokio::spawn({
            let log = log.clone();
            async move { log.wait(0, 2).await }
        });
        std::thread::sleep(Duration::from_millis(300));
        assert!(!waiting.is_finished(), "there is no record to wait for");
        assert_eq!(log.append(0, entries("a", 1)).await, Ok(5..6));
        outcome("the wait", waiting).await.unwrap();
        let batch = log.fetch(0, 2, 1_000).await.unwrap();
        assert_eq!((batch.records[0].offset, batch.next_offset), (5, 6));
        broker.delete_topic(&name).await;
    });
}

#[test]
fn every_compression_of_others_is_read() {
    runtime().block_on(async {
        let broker = Broker::connect();
        let name = broker.make_topic("compressions", 1).await;
        let log = broker.open(&name, 1).await;
        let compressions = ["none", "gzip", "snappy", "lz4", "zstd"];
        for compression in compressions {
            let producer: BaseProducer = ClientConfig::new()
                .set("bootstrap.servers", Broker::config().brokers)
                .set("compression.type", compression)
                .create()
                .unwrap();
            let value = compression.repeat(1_000);
            let record = BaseRecord::to(&name).partition(0).key("k").payload(&value);
            producer.send(record).unwrap();
            producer.flush(Duration::from_secs(20)).unwrap();
        }
        log.bounds(0).await.unwrap();
        let found = fetch_all(&log, 0, 0).await;
        let found: Vec<_> = found.iter().map(|record| record.value.clone()).collect();
        assert_eq!(
            found,
            compressions.map(|compression| compression.repeat(1_000))
        );
        broker.delete_topic(&name).await;
    });
}

#[test]
fn records_with_their_senders_time_are_refused() {
    runtime().block_on(async {
        let broker = Broker::connect();
        let name = Broker::name("create-time");
        broker.make_stamped(&name, 1, "CreateTime").await;
        let log = broker.open(&name, 1).await;
        log.append(0, entries("a", 1)).await.unwrap();
        let error = log.fetch(0, 0, 1_000).await.unwrap_err();
        assert!(!error.is_transient(), "{error}");
        let text = error.to_string();
        assert!(
            text.contains("message.timestamp.type=LogAppendTime"),
            "{text}"
        );
        broker.delete_topic(&name).await;
    });
}

#[test]
fn a_record_that_is_too_large_takes_no_other_with_it() {
    runtime().block_on(async {
        let broker = Broker::connect();
        let name = broker.make_topic("too-large", 1).await;
        let log = broker.open(&name, 1).await;
        let batch = |size: usize| {
            vec![
                entry("a", "x"),
                entry("", &"x".repeat(size)),
                entry("a", "y"),
            ]
        };
        let error = log
            .append(0, batch(MAX_RECORD_BYTES + 1))
            .await
            .unwrap_err();
        assert!(!error.is_transient(), "{error}");
        assert_eq!(log.bounds(0).await.unwrap().end, 0);
        // And the largest that is promised is taken, whatever the wire adds to it.
        assert_eq!(log.append(0, batch(MAX_RECORD_BYTES)).await, Ok(0..3));
        broker.delete_topic(&name).await;
    });
}

#[test]
fn appends_beyond_the_bound_are_busy_and_lose_nothing() {
    runtime().block_on(async {
        let broker = Broker::connect();
        let name = broker.make_topic("busy", 1).await;
        let kafka = Kafka::connect(KafkaConfig {
            max_pending_bytes: 20_000,
            ..Broker::config()
        });
        let log = kafka.unwrap().topic(&name).await.unwrap().open(1).unwrap();
        // Larger than the bound: taken when nothing else waits.
        log.append(0, entries("a", 10_000)).await.unwrap();
        let appends: Vec<_> = (0..100).map(|_| append(&log)).collect();
        let (mut taken, mut busy) = (0, 0);
        for append in appends {
            match append.await.unwrap() {
                Ok(_) => taken += 1,
                Err(error) => {
                    assert!(matches!(error, LogError::Busy { .. }), "{error}");
                    busy += 1;
                }
            }
        }
        assert!(taken > 0 && busy > 0, "{taken} taken, {busy} busy");
        assert_eq!(log.bounds(0).await.unwrap().end, 10_000 + 1_000 * taken);
        broker.delete_topic(&name).await;
    });
}

fn append(log: &KafkaLog) -> tokio::task::JoinHandle<Result<std::ops::Range<Offset>, LogError>> {
    let log = log.clone();
    tokio::spawn(async move { log.append(0, entries("a", 1_000)).await })
}
