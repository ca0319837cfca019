//! The feed in front of a log in memory that fails now and then.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use eventlog::{Batch, Bounds, Entry, Epoch, Log, LogError, MemoryLog, Offset, PartitionId};
use host::{Clock, SystemClock};
use ingest::{IngestError, Producer};
use market::{SECOND_NS, Trade};
use schemas::TradesRecord;
use tokio_util::sync::CancellationToken;

use self::unfolded::Unfolded;
use candlewick_collector::{CollectorError, SyntheticFeed, run};

#[path = "../../ingest/tests/support/unfolded.rs"]
mod unfolded;

const START_NS: i64 = 1_700_000_000 * SECOND_NS;

/// A wall clock that runs with tokio's, which the test has paused.
#[derive(Clone)]
struct PausedClock {
    begin_ns: u64,
}

impl Clock for PausedClock {
    fn now_ns(&self) -> i64 {
        START_NS.saturating_add_unsigned(self.monotonic_ns() - self.begin_ns)
    }

    fn monotonic_ns(&self) -> u64 {
        SystemClock.monotonic_ns()
    }

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send {
        SystemClock.sleep(duration)
    }
}

/// A log that fails some appends: before it takes them, or after, as when an answer is lost.
#[derive(Clone)]
struct WeakLog {
    log: MemoryLog,
    appends: Arc<AtomicUsize>,
    fails_for_good: bool,
}

impl Log for WeakLog {
    fn partitions(&self) -> PartitionId {
        self.log.partitions()
    }

    fn epoch(&self) -> Epoch {
        self.log.epoch()
    }

    async fn append(&self, to: PartitionId, entries: Vec<Entry>) -> Result<Offset, LogError> {
        let count = self.appends.fetch_add(1, Ordering::Relaxed);
        if self.fails_for_good && count > 10 {
            return Err(LogError::Closed);
        }
        let busy = Err(LogError::Busy { pending_bytes: 1 });
        match count % 5 {
            2 => busy,
            3 => self.log.append(to, entries).await.and(busy),
            _ => self.log.append(to, entries).await,
        }
    }

    async fn fetch(&self, of: PartitionId, from: Offset, max: usize) -> Result<Batch, LogError> {
        self.log.fetch(of, from, max).await
    }

    async fn wait(&self, of: PartitionId, offset: Offset) -> Result<(), LogError> {
        self.log.wait(of, offset).await
    }

    async fn bounds(&self, of: PartitionId) -> Result<Bounds, LogError> {
        self.log.bounds(of).await
    }
}

async fn run_for(time: Duration, fails_for_good: bool) -> (WeakLog, Result<(), CollectorError>) {
    let log = WeakLog {
        log: MemoryLog::new(1, 1, 1 << 20, Arc::new(|| START_NS)),
        appends: Arc::default(),
        fails_for_good,
    };
    let clock = PausedClock {
        begin_ns: SystemClock.monotonic_ns(),
    };
    // A busy log is given up at once, so that the feed itself has to try again.
    let producer =
        Producer::new(log.clone(), Unfolded, clock.clone()).with_deadline(Duration::ZERO);
    let symbols = ["EURUSD", "SPY"].map(|name| name.parse().unwrap());
    let feed = SyntheticFeed::new(1, &symbols, 4).unwrap();
    let stop = CancellationToken::new();
    let stopping = async {
        clock.sleep(time).await;
        stop.cancel();
    };
    let (ended, ()) = tokio::join!(run(feed, &producer, clock.clone(), stop.clone()), stopping);
    (log, ended)
}

async fn records(log: &WeakLog) -> Vec<TradesRecord> {
    let batch = log.fetch(0, 0, usize::MAX).await.unwrap();
    let records = batch.records.iter();
    records
        .map(|record| TradesRecord::decode(&record.value).unwrap())
        .collect()
}

fn id_of(trade: &Trade) -> (Option<u64>, bool) {
    let number = trade.id.as_ref().and_then(market::TradeId::number);
    (number, trade.quantity.is_none())
}

#[tokio::test(start_paused = true)]
async fn a_busy_log_and_a_lost_answer_lose_no_trade() {
    let (log, ended) = run_for(Duration::from_secs(60), false).await;
    ended.unwrap();
    let mut is_declared = false;
    let mut ids = Vec::new();
    for record in records(&log).await {
        match record {
            TradesRecord::Setting(venue, settings) => {
                assert_eq!(venue.as_str(), "synthetic");
                assert_eq!(settings, SyntheticFeed::settings());
                is_declared = true;
            }
            TradesRecord::Trade(trade) => {
                assert!(is_declared);
                ids.push(id_of(&trade));
            }
            TradesRecord::Advance => {}
        }
    }
    let sent = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert!(ids.len() < sent, "what was sent twice has the same ids");
    for is_currency in [true, false] {
        let of_symbol = ids.iter().filter(|(_, without)| *without == is_currency);
        let numbers: Vec<_> = of_symbol.filter_map(|(number, _)| *number).collect();
        assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
        assert!(numbers.len() > 150, "{}", numbers.len());
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_that_fails_for_good_ends_the_feed() {
    let (_, ended) = run_for(Duration::from_secs(60), true).await;
    let error = ended.unwrap_err();
    assert!(matches!(
        error,
        CollectorError::Ingest(IngestError::Log(LogError::Closed))
    ));
}
