//! What only a log on Kafka must handle: recreated topics, retention, and other writers.

use std::time::Duration;

use candlewick_kafka::{KafkaClient, KafkaConfig, KafkaLog, MAX_RECORD_BYTES};
use eventlog::contract::{fetch_all, new_record, numbered_records};
use eventlog::{Log, LogError, NewRecord, Offset};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::support::{Broker, eventually, runtime};

/// Waits for the result of a task, for at most half a minute.
async fn join_soon<T>(what: &str, task: tokio::task::JoinHandle<T>) -> T {
    eventually(what, || task.is_finished().then_some(()));
    task.await.unwrap()
}

#[test]
fn a_missing_topic_is_reported_at_once() {
    runtime().block_on(async {
        let broker = Broker::connect();
        let error = broker
            .kafka
            .request_topic("no-such-topic")
            .await
            .err()
            .unwrap();
        assert!(!error.is_transient(), "{error}");
        let text = error.to_string();
        assert!(text.contains("no-such-topic"), "{text}");
        assert!(text.contains("candlewick topics apply"), "{text}");
    });
}

#[test]
fn missing_brokers_are_unavailable() {
    runtime().block_on(async {
        let kafka = KafkaClient::create(KafkaConfig {
            brokers: "127.0.0.1:1".to_owned(),
            request_timeout: Duration::from_secs(1),
            ..KafkaConfig::default()
        });
        let error = kafka.unwrap().request_topic("trades").await.err().unwrap();
        assert!(error.is_transient(), "{error}");
    });
}

#[test]
fn a_recreated_topic_is_noticed_even_if_it_is_longer() {
    runtime().block_on(async {
        let broker = Broker::connect();
        let name = broker.create_topic("recreated", 1).await;
        let log = broker.open(&name, 1).await;
        log.append(0, numbered_records("a", 3)).await.unwrap();
        assert_eq!(fetch_all(&log, 0, 0).await.len(), 3);
        assert_eq!(log.check_epoch().await, Ok(()));

        broker.delete_topic(&name).await;
        broker.create_named_topic(&name, 1).await;
        let new_log = broker.open(&name, 2).await;
        new_log.append(0, numbered_records("b", 10)).await.unwrap();
        assert_ne!(new_log.topic().id(), log.topic().id());
        let recreated = LogError::Recreated {
            topic: name.clone(),
        };
        let checks = (0..10).map(|_| log.check_epoch());
        for outcome in futures_util::future::join_all(checks).await {
            assert_eq!(outcome, Err(recreated.clone()));
        }
        assert_eq!(new_log.check_epoch().await, Ok(()));
        broker.delete_topic(&name).await;
    });
}

#[test]
fn deleting_a_topic_ends_waits_and_fetches() {
    runtime().block_on(async {
        let broker = Broker::connect();
        let name = broker.create_topic("deleted", 1).await;
        let log = broker.open(&name, 1).await;
        log.append(0, numbered_records("a", 3)).await.unwrap();
        assert_eq!(fetch_all(&log, 0, 0).await.len(), 3);
        let waiting = tokio::spawn({
            let log = log.clone();
            async move { log.wait_for_record(0, 3).await }
        });
        broker.delete_topic(&name).await;
        let error = join_soon("the end of the wait", waiting).await.unwrap_err();
        assert!(error.to_string().contains("no such topic"), "{error}");
        let fetching = tokio::spawn({
            let log = log.clone();
            async move { log.fetch(0, 3, 1_000).await }
        });
        let error = join_soon("the end of the fetch", fetching)
            .await
            .unwrap_err();
        assert!(error.is_transient(), "{error}");
        // The topic may be created again, as another generation.
        let error = log.check_epoch().await.unwrap_err();
        assert!(error.is_transient(), "{error}");
    });
}

#[test]
fn records_that_retention_has_dropped_are_out_of_range() {
    runtime().block_on(async {
        let broker = Broker::connect();
        let name = broker.create_topic("retention", 1).await;
        let log = broker.open(&name, 1).await;
        log.append(0, numbered_records("a", 100)).await.unwrap();
        broker.delete_records_before(&name, 0, 50).await;
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

/// Retention overtakes a running reader, which has read ahead only a bounded number of bytes.
#[test]
fn a_slow_reader_buffers_little_and_fails_when_retention_overtakes_it() {
    const RECORDS: usize = 3_000;
    const RECORD_BYTES: usize = 10_000;
    runtime().block_on(async {
        let broker = Broker::connect();
        let name = broker.create_topic("overtaken", 1).await;
        let kafka = KafkaClient::create(KafkaConfig {
            fetch_memory_bytes: 2_000_000,
            ..Broker::config()
        });
        let topic = kafka.unwrap().request_topic(&name).await.unwrap();
        let log = topic.open_log(1).unwrap();
        // The values cannot be compressed, so that a fetch of 1 MB transfers 1 MB.
        let noise = |n: usize| (0..RECORD_BYTES).map(move |i| (i * i * 7919 + n * 104_729) >> 5);
        for start in (0..RECORDS).step_by(500) {
            let records = (start..start + 500).map(|n| NewRecord {
                key: "k".into(),
                value: noise(n).map(|x| x.to_le_bytes()[0]).collect(),
            });
            log.append(0, records.collect()).await.unwrap();
        }
        let mut next = log.fetch(0, 0, 1).await.unwrap().next_offset;
        std::thread::sleep(Duration::from_secs(1));
        broker
            .delete_records_before(&name, 0, RECORDS as Offset)
            .await;
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
fn an_append_of_another_process_wakes_waiting_readers() {
    runtime().block_on(async {
        let broker = Broker::connect();
        let name = broker.create_topic("wakes", 1).await;
        let (ours, theirs) = (broker.open(&name, 1).await, broker.open(&name, 1).await);
        for n in 0..20 {
            let waiting = tokio::spawn({
                let ours = ours.clone();
                async move {
                    ours.wait_for_record(0, n).await.unwrap();
                    ours.fetch(0, n, 1_000).await.unwrap()
                }
            });
            theirs.append(0, numbered_records("a", 1)).await.unwrap();
            let batch = join_soon("the wait", waiting).await;
            assert_eq!((batch.records.len(), batch.next_offset), (1, n + 1));
        }
        broker.delete_topic(&name).await;
    });
}

/// Clones share one reader for each partition, so fetches at different offsets run one after the
/// other.
#[test]
fn concurrent_fetches_at_different_offsets_all_succeed() {
    const READERS: u64 = 24;
    runtime().block_on(async {
        let broker = Broker::connect();
        let name = broker.create_topic("places", 1).await;
        let log = broker.open(&name, 1).await;
        log.append(0, numbered_records("a", 1_000)).await.unwrap();
        let look_up = |n: u64| {
            let log = log.clone();
            tokio::spawn(async move {
                for round in 0..3 {
                    let offset = (n * 37 + round * 311) % 1_000;
                    let batch = log.fetch(0, offset, 1).await.unwrap();
                    assert_eq!(batch.records[0].offset, offset);
                }
            })
        };
        let lookups: Vec<_> = (0..READERS).map(look_up).collect();
        for lookup in lookups {
            join_soon("an existing record", lookup).await;
        }
        broker.delete_topic(&name).await;
    });
}

/// The marker at the end of a transaction has an offset, and is no record.
#[test]
fn transactions_of_other_processes_do_not_block_a_reader() {
    runtime().block_on(async {
        let broker = Broker::connect();
        let name = broker.create_topic("transactions", 1).await;
        let log = broker.open(&name, 1).await;
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", Broker::config().brokers)
            .set("transactional.id", &name)
            .create()
            .unwrap();
        let timeout = Duration::from_secs(20);
        producer.init_transactions(timeout).unwrap();
        let send = |text: &str| {
            let record = BaseRecord::to(&name).partition(0).key("k").payload(text);
            producer.send(record).unwrap();
        };
        producer.begin_transaction().unwrap();
        send("one");
        send("two");
        producer.commit_transaction(timeout).unwrap();
        producer.begin_transaction().unwrap();
        send("aborted");
        producer.flush(timeout).unwrap();
        producer.abort_transaction(timeout).unwrap();

        assert_eq!(fetch_all(&log, 0, 0).await.len(), 2);
        assert_eq!(log.bounds(0).await.unwrap().end, 5);
        let empty = log.fetch(0, 2, 1_000).await.unwrap();
        assert_eq!((empty.records.len(), empty.next_offset), (0, 2));
        let waiting = tokio::spawn({
            let log = log.clone();
            async move { log.wait_for_record(0, 2).await }
        });
        std::thread::sleep(Duration::from_millis(300));
        assert!(!waiting.is_finished(), "there is no record to wait for");
        assert_eq!(log.append(0, numbered_records("a", 1)).await, Ok(5..6));
        join_soon("the wait", waiting).await.unwrap();
        let batch = log.fetch(0, 2, 1_000).await.unwrap();
        assert_eq!((batch.records[0].offset, batch.next_offset), (5, 6));
        broker.delete_topic(&name).await;
    });
}

#[test]
fn every_compression_of_other_processes_is_read() {
    runtime().block_on(async {
        let broker = Broker::connect();
        let name = broker.create_topic("compressions", 1).await;
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

/// Appends records until the brokers give one the time of its append, or none of them any more, and
/// returns its offset.
async fn append_until_timed(
    broker: &Broker,
    name: &str,
    log: &impl Log,
    has_append_time: bool,
) -> Offset {
    for _ in 0..1_000 {
        let appended = log.append(0, numbered_records("b", 1)).await.unwrap();
        let reader = broker.open(name, 1).await;
        let record = &fetch_all(&reader, 0, appended.start).await[0];
        if (record.append_time_ns > 0) == has_append_time {
            return appended.start;
        }
    }
    panic!("the brokers do not apply message.timestamp.type");
}

fn index_of(offset: Offset) -> usize {
    usize::try_from(offset).unwrap()
}

#[test]
fn records_with_the_time_of_their_sender_get_the_append_time_of_those_before_them() {
    runtime().block_on(async {
        let broker = Broker::connect();
        let name = broker.create_topic("create-time", 1).await;
        let log = broker.open(&name, 1).await;
        log.append(0, numbered_records("a", 2)).await.unwrap();
        broker.set_timestamps(&name, "CreateTime").await;
        let first_without = append_until_timed(&broker, &name, &log, false).await;
        broker.set_timestamps(&name, "LogAppendTime").await;
        let first_after = append_until_timed(&broker, &name, &log, true).await;
        let found = fetch_all(&log, 0, 0).await;
        let times: Vec<_> = found.iter().map(|record| record.append_time_ns).collect();
        assert_eq!(times.len(), index_of(first_after) + 1);
        assert!(times[0] > 0 && times.is_sorted(), "{times:?}");
        let (begin, end) = (index_of(first_without), index_of(first_after));
        let before = times[begin - 1];
        assert!(
            times[begin..end].iter().all(|time| *time == before),
            "{times:?}"
        );
        // A reader that begins among them knows none: the roles know it from their stores.
        let log = broker.open(&name, 1).await;
        let found = fetch_all(&log, 0, first_without).await;
        assert_eq!(found[0].append_time_ns, 0);
        assert_eq!(found[end - begin].append_time_ns, times[end]);
        broker.delete_topic(&name).await;
    });
}

#[test]
fn a_record_that_is_too_large_fails_its_append_as_a_whole() {
    runtime().block_on(async {
        let broker = Broker::connect();
        let name = broker.create_topic("too-large", 1).await;
        let log = broker.open(&name, 1).await;
        let batch = |size: usize| {
            vec![
                new_record("a", "x"),
                new_record("", &"x".repeat(size)),
                new_record("a", "y"),
            ]
        };
        let error = log
            .append(0, batch(MAX_RECORD_BYTES + 1))
            .await
            .unwrap_err();
        assert!(!error.is_transient(), "{error}");
        assert_eq!(log.bounds(0).await.unwrap().end, 0);
        // The largest documented record is accepted although the protocol adds bytes to it.
        assert_eq!(log.append(0, batch(MAX_RECORD_BYTES)).await, Ok(0..3));
        broker.delete_topic(&name).await;
    });
}

#[test]
fn appends_beyond_the_bound_are_busy_and_lose_nothing() {
    runtime().block_on(async {
        let broker = Broker::connect();
        let name = broker.create_topic("busy", 1).await;
        let kafka = KafkaClient::create(KafkaConfig {
            max_pending_bytes: 20_000,
            ..Broker::config()
        });
        let log = kafka
            .unwrap()
            .request_topic(&name)
            .await
            .unwrap()
            .open_log(1)
            .unwrap();
        // Larger than the bound: accepted because nothing else is pending.
        log.append(0, numbered_records("a", 10_000)).await.unwrap();
        let appends: Vec<_> = (0..100).map(|_| spawn_append(&log)).collect();
        let (mut accepted, mut busy) = (0, 0);
        for append in appends {
            match append.await.unwrap() {
                Ok(_) => accepted += 1,
                Err(error) => {
                    assert!(matches!(error, LogError::Busy { .. }), "{error}");
                    busy += 1;
                }
            }
        }
        assert!(accepted > 0 && busy > 0, "{accepted} accepted, {busy} busy");
        assert_eq!(log.bounds(0).await.unwrap().end, 10_000 + 1_000 * accepted);
        broker.delete_topic(&name).await;
    });
}

fn spawn_append(
    log: &KafkaLog,
) -> tokio::task::JoinHandle<Result<std::ops::Range<Offset>, LogError>> {
    let log = log.clone();
    tokio::spawn(async move { log.append(0, numbered_records("a", 1_000)).await })
}
