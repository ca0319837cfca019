//! Compares reading a topic of Kafka through `KafkaLog` with a plain loop of rdkafka over the same
//! records with the same settings, in CPU time of this process, including librdkafka's threads.
//!
//! `CANDLEWICK_KAFKA=127.0.0.1:19092 cargo bench -p candlewick-kafka --bench kafka`.

use std::time::Duration;

use candlewick_kafka::{KafkaClient, KafkaConfig, KafkaTopic};
use clock::{Clock, SystemClock};
use eventlog::{Log, NewRecord, PartitionId};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

const PARTITIONS: PartitionId = 4;
const RECORDS: usize = 2_000_000;
/// How many records an append has.
const APPEND_RECORDS: usize = 5_000;
const KEYS: usize = 250;
const VALUE_BYTES: usize = 80;
const FETCH_BYTES: usize = 1 << 20;
const ROUNDS: usize = 5;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The time that reading or appending all records took.
#[derive(Clone, Copy)]
struct TimeTaken {
    cpu_seconds: f64,
    elapsed: Duration,
}

/// Returns how long ago the monotonic clock read `start_ns`.
fn elapsed_since(start_ns: u64) -> Duration {
    Duration::from_nanos(SystemClock.monotonic_ns() - start_ns)
}

/// Returns the CPU time of this process in seconds, from fields 14 and 15 of `/proc/self/stat`.
fn cpu_seconds() -> Result<f64, Failure> {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, after_name) = stat
        .rsplit_once(") ")
        .ok_or("cannot parse /proc/self/stat")?;
    let fields: Vec<_> = after_name.split(' ').collect();
    Ok((fields[11].parse::<f64>()? + fields[12].parse::<f64>()?) / TICKS_PER_SECOND)
}

async fn create_topic(brokers: &str) -> Result<String, Failure> {
    let name = format!("bench-{}", std::process::id());
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .create()?;
    let topic = NewTopic::new(&name, 4, TopicReplication::Fixed(-1))
        .set("message.timestamp.type", "LogAppendTime");
    for outcome in admin.create_topics([&topic], &AdminOptions::new()).await? {
        outcome.map_err(|(_, code)| code.to_string())?;
    }
    Ok(name)
}

/// Appends all records.
async fn append_records(topic: &KafkaTopic) -> Result<TimeTaken, Failure> {
    let (start_ns, start_cpu) = (SystemClock.monotonic_ns(), cpu_seconds()?);
    let log = topic.open_log(1)?;
    let append = |partition| {
        let log = log.clone();
        tokio::spawn(async move {
            let count = RECORDS / PARTITIONS as usize / APPEND_RECORDS;
            for round in 0..count {
                let record = |n| NewRecord {
                    key: format!("binance:SYMBOL{:04}", (round * APPEND_RECORDS + n) % KEYS).into(),
                    value: vec![b'7'; VALUE_BYTES].into(),
                };
                log.append(partition, (0..APPEND_RECORDS).map(record).collect())
                    .await?;
            }
            Ok::<_, eventlog::LogError>(())
        })
    };
    for appending in (0..PARTITIONS).map(append).collect::<Vec<_>>() {
        appending.await??;
    }
    Ok(TimeTaken {
        cpu_seconds: cpu_seconds()? - start_cpu,
        elapsed: elapsed_since(start_ns),
    })
}

/// Reads all records in a plain loop: poll, look at key and value, count.
fn read_with_plain_loop(brokers: &str, topic: &str) -> Result<TimeTaken, Failure> {
    let (start_ns, start_cpu) = (SystemClock.monotonic_ns(), cpu_seconds()?);
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "bench")
        .set("enable.auto.commit", "false")
        .set("fetch.queue.backoff.ms", "5")
        .set("queued.min.messages", "30000")
        .set("fetch.message.max.bytes", "1000000")
        .set("queued.max.messages.kbytes", "65536")
        .set("fetch.wait.max.ms", "100")
        .create()?;
    let mut list = TopicPartitionList::new();
    for partition in 0..4 {
        list.add_partition_offset(topic, partition, Offset::Beginning)?;
    }
    consumer.assign(&list)?;
    let (mut count, mut size_bytes) = (0, 0);
    while count < RECORDS {
        let Some(message) = consumer.poll(Duration::from_secs(10)) else {
            return Err("the plain loop received nothing for ten seconds".into());
        };
        let message = message?;
        size_bytes += message.key().map_or(0, <[u8]>::len);
        size_bytes += message.payload().map_or(0, <[u8]>::len);
        count += 1;
    }
    assert!(size_bytes > RECORDS * VALUE_BYTES);
    Ok(TimeTaken {
        cpu_seconds: cpu_seconds()? - start_cpu,
        elapsed: elapsed_since(start_ns),
    })
}

/// Reads all records through `KafkaLog`.
async fn read_with_kafka_log(topic: &KafkaTopic) -> Result<TimeTaken, Failure> {
    let (start_ns, start_cpu) = (SystemClock.monotonic_ns(), cpu_seconds()?);
    let log = topic.open_log(1)?;
    let follow = |partition| {
        let log = log.clone();
        tokio::spawn(async move {
            let (mut offset, mut size_bytes) = (0, 0);
            while offset < (RECORDS / PARTITIONS as usize) as u64 {
                log.wait_for_record(partition, offset).await?;
                let batch = log.fetch(partition, offset, FETCH_BYTES).await?;
                for record in &batch.records {
                    size_bytes += record.key.len() + record.value.len();
                }
                offset = batch.next_offset;
            }
            Ok::<_, eventlog::LogError>(size_bytes)
        })
    };
    let mut size_bytes = 0;
    for following in (0..PARTITIONS).map(follow).collect::<Vec<_>>() {
        size_bytes += following.await??;
    }
    assert!(size_bytes > RECORDS * VALUE_BYTES);
    Ok(TimeTaken {
        cpu_seconds: cpu_seconds()? - start_cpu,
        elapsed: elapsed_since(start_ns),
    })
}

fn print_row(name: &str, taken: TimeTaken) {
    #[expect(clippy::cast_precision_loss, reason = "the output is for people")]
    let records = RECORDS as f64;
    println!(
        "{name:<10} {:>8.2} {:>8.2} {:>14.0} {:>14.0}",
        taken.cpu_seconds,
        taken.elapsed.as_secs_f64(),
        records / taken.cpu_seconds,
        records / taken.elapsed.as_secs_f64(),
    );
}

async fn run(brokers: String) -> Result<(), Failure> {
    let name = create_topic(&brokers).await?;
    let kafka = KafkaClient::create(KafkaConfig {
        brokers: brokers.clone(),
        ..KafkaConfig::default()
    })?;
    let topic = loop {
        match kafka.request_topic(&name).await {
            Ok(topic) => break topic,
            Err(_) => std::thread::sleep(Duration::from_millis(100)),
        }
    };
    println!(
        "{:<10} {:>8} {:>8} {:>14} {:>14}",
        "", "cpu s", "s", "records/cpu s", "records/s"
    );
    print_row("append", append_records(&topic).await?);
    let mut sums = (0.0, 0.0);
    for _ in 0..ROUNDS {
        let (brokers, name) = (brokers.clone(), name.clone());
        let plain =
            tokio::task::spawn_blocking(move || read_with_plain_loop(&brokers, &name)).await??;
        print_row("plain", plain);
        let ours = read_with_kafka_log(&topic).await?;
        print_row("KafkaLog", ours);
        sums = (sums.0 + plain.cpu_seconds, sums.1 + ours.cpu_seconds);
    }
    println!(
        "KafkaLog reads {:.2} of the plain loop's records per CPU-second",
        sums.0 / sums.1
    );
    Ok(())
}

fn main() -> Result<(), Failure> {
    let Ok(brokers) = std::env::var("CANDLEWICK_KAFKA") else {
        println!("CANDLEWICK_KAFKA names no brokers: nothing is measured");
        return Ok(());
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(run(brokers))
}
