//! Measures the embedded log: appends of several sizes, and reads of its end and of its file.
//!
//! `cargo bench -p candlewick-eventlog --bench embedded`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use candlewick_eventlog::{EmbeddedLog, EmbeddedOptions, Log, NewRecord, RetentionLimits};
use clock::{Clock, SystemClock};

/// The number of records in total, of records in an append, and of concurrent appends.
const SHAPES: [(usize, usize, usize); 5] = [
    (654_000, 1, 256),
    (2_000, 1, 1),
    (1_000_000, 100, 16),
    (3_000_000, 1_000, 8),
    (5_000_000, 10_000, 4),
];
const KEY: &[u8] = b"binance:BTCUSDT";
const VALUE_BYTES: usize = 60;
const FETCH_BYTES: usize = 1 << 20;

type Failure = Box<dyn std::error::Error>;

/// Returns how long ago the monotonic clock read `start_ns`.
fn elapsed_since(start_ns: u64) -> Duration {
    Duration::from_nanos(SystemClock.monotonic_ns() - start_ns)
}

fn open(folder: &tempfile::TempDir) -> Result<EmbeddedLog, Failure> {
    let options = EmbeddedOptions {
        topic: "trades".to_owned(),
        partitions: 1,
        retention: RetentionLimits::FOREVER,
        max_pending_bytes: 64 << 20,
    };
    Ok(EmbeddedLog::open(
        folder.path().join("trades.redb"),
        options,
        SystemClock,
    )?)
}

/// Appends all records, and returns how long each append took.
async fn append_all(
    log: &EmbeddedLog,
    shape: (usize, usize, usize),
) -> Result<Vec<Duration>, Failure> {
    let (total, size, in_flight) = shape;
    let left = Arc::new(AtomicUsize::new(total / size));
    let appender = |_| {
        let (log, left) = (log.clone(), left.clone());
        tokio::spawn(async move {
            let mut took = Vec::new();
            let take_one = |left: usize| left.checked_sub(1);
            while left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take_one)
                .is_ok()
            {
                let record = NewRecord {
                    key: KEY.into(),
                    value: vec![b'7'; VALUE_BYTES].into(),
                };
                let start_ns = SystemClock.monotonic_ns();
                log.append(0, vec![record; size]).await?;
                took.push(elapsed_since(start_ns));
            }
            Ok::<_, candlewick_eventlog::LogError>(took)
        })
    };
    let appenders: Vec<_> = (0..in_flight).map(appender).collect();
    let mut took = Vec::new();
    for appender in appenders {
        took.extend(appender.await??);
    }
    Ok(took)
}

/// Reads the log up to `total` records, and waits for records that are not there yet.
async fn follow(log: EmbeddedLog, total: usize) -> Result<(), candlewick_eventlog::LogError> {
    let mut offset = 0;
    while offset < total as u64 {
        log.wait_for_record(0, offset).await?;
        offset = log.fetch(0, offset, FETCH_BYTES).await?.next_offset;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "the output is for people")]
fn per_second(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

/// Measures one shape, and prints a row.
async fn run_shape(shape: (usize, usize, usize)) -> Result<(), Failure> {
    let (total, size, in_flight) = shape;
    let folder = tempfile::tempdir()?;
    let log = open(&folder)?;
    let start_ns = SystemClock.monotonic_ns();
    let follower = tokio::spawn(follow(log.clone(), total));
    let mut took = append_all(&log, shape).await?;
    let appended = elapsed_since(start_ns);
    follower.await??;
    let followed = elapsed_since(start_ns);
    took.sort();
    drop(log);
    let log = open(&folder)?;
    let start_ns = SystemClock.monotonic_ns();
    follow(log, total).await?;
    println!(
        "{size:>7} {in_flight:>9} {:>11.0} {:>8.2} {:>8.2} {:>11.0} {:>11.0}",
        per_second(total, appended),
        took[took.len() / 2].as_secs_f64() * 1e3,
        took[took.len() * 99 / 100].as_secs_f64() * 1e3,
        per_second(total, followed),
        per_second(total, elapsed_since(start_ns)),
    );
    Ok(())
}

fn main() -> Result<(), Failure> {
    println!(
        "{:>7} {:>9} {:>11} {:>8} {:>8} {:>11} {:>11}",
        "records", "in flight", "append/s", "p50 ms", "p99 ms", "followed/s", "cold read/s"
    );
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()?;
    for shape in SHAPES {
        runtime.block_on(run_shape(shape))?;
    }
    Ok(())
}
