//! The feed over an in-memory log whose appends fail now and then.

#![expect(clippy::unwrap_used, reason = "only the tests call these functions")]

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use clock::{Clock, ManualClock};
use eventlog::{
    Epoch, Log, LogError, MemoryLog, NewRecord, Offset, OffsetBounds, PartitionId, RecordBatch,
};
use ingest::{IngestError, IngestProducer};
use market::{SECOND_NS, SettingsChange, Trade};
use schemas::TradesTopicRecord;
use store::SqliteBarStore;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use candlewick_collector::{CollectorError, SyntheticFeed, run_feed};

const START_NS: i64 = 1_700_000_000 * SECOND_NS;

/// A clock that advances by every sleep, and stops the feed at its end.
#[derive(Clone)]
struct SteppedClock {
    passed_ns: Arc<AtomicU64>,
    end_ns: u64,
    stop: CancellationToken,
}

impl Clock for SteppedClock {
    fn now_ns(&self) -> i64 {
        START_NS.saturating_add_unsigned(self.monotonic_ns())
    }

    fn monotonic_ns(&self) -> u64 {
        self.passed_ns.load(Ordering::Relaxed)
    }

    async fn sleep(&self, duration: Duration) {
        let step_ns = u64::try_from(duration.as_nanos()).unwrap();
        if self.passed_ns.fetch_add(step_ns, Ordering::Relaxed) > self.end_ns {
            self.stop.cancel();
        }
        tokio::task::yield_now().await;
    }
}

/// A log that fails some appends: before it stores them, or after, as when a response is lost.
#[derive(Clone)]
struct UnreliableLog {
    log: MemoryLog,
    appends: Arc<AtomicUsize>,
    fails_permanently: bool,
}

impl Log for UnreliableLog {
    fn partition_count(&self) -> PartitionId {
        self.log.partition_count()
    }

    fn epoch(&self) -> Epoch {
        self.log.epoch()
    }

    async fn append(
        &self,
        to: PartitionId,
        entries: Vec<NewRecord>,
    ) -> Result<Range<Offset>, LogError> {
        let count = self.appends.fetch_add(1, Ordering::Relaxed);
        if self.fails_permanently && count > 10 {
            return Err(LogError::Closed);
        }
        let busy = Err(LogError::Busy { pending_bytes: 1 });
        match count % 5 {
            2 => busy,
            3 => self.log.append(to, entries).await.and(busy),
            _ => self.log.append(to, entries).await,
        }
    }

    async fn fetch(
        &self,
        of: PartitionId,
        from: Offset,
        max: usize,
    ) -> Result<RecordBatch, LogError> {
        self.log.fetch(of, from, max).await
    }

    async fn wait_for_record(&self, of: PartitionId, offset: Offset) -> Result<(), LogError> {
        self.log.wait_for_record(of, offset).await
    }

    async fn bounds(&self, of: PartitionId) -> Result<OffsetBounds, LogError> {
        self.log.bounds(of).await
    }
}

/// Runs a feed for a minute of the clock.
async fn run_feed_for_a_minute(
    fails_permanently: bool,
) -> (UnreliableLog, Result<(), CollectorError>) {
    let log = UnreliableLog {
        log: MemoryLog::new(1, 1, 1 << 20, ManualClock::new(START_NS)),
        appends: Arc::default(),
        fails_permanently,
    };
    let stop = CancellationToken::new();
    let clock = SteppedClock {
        passed_ns: Arc::default(),
        end_ns: 60 * SECOND_NS.unsigned_abs(),
        stop: stop.clone(),
    };
    let folder = TempDir::new().unwrap();
    let store = SqliteBarStore::open(folder.path().join("bars"))
        .await
        .unwrap();
    // The producer does not retry a busy log, so that the feed itself has to.
    let producer =
        IngestProducer::new(log.clone(), store, clock.clone()).with_deadline(Duration::ZERO);
    let symbols = ["EURUSD", "SPY"].map(|name| name.parse().unwrap());
    let feed = SyntheticFeed::new(1, &symbols, 4).unwrap();
    let ended = run_feed(feed, &producer, clock, stop).await;
    (log, ended)
}

async fn read_records(log: &UnreliableLog) -> Vec<TradesTopicRecord> {
    let batch = log.fetch(0, 0, usize::MAX).await.unwrap();
    let records = batch.records.iter();
    records
        .map(|record| TradesTopicRecord::decode(&record.value).unwrap())
        .collect()
}

fn id_and_kind(trade: &Trade) -> (Option<u64>, bool) {
    let number = trade.id.as_ref().and_then(market::TradeId::as_number);
    (number, trade.quantity.is_none())
}

#[tokio::test]
async fn a_busy_log_and_a_lost_response_lose_no_trade() {
    let (log, ended) = run_feed_for_a_minute(false).await;
    ended.unwrap();
    let mut is_declared = false;
    let mut ids = Vec::new();
    for record in read_records(&log).await {
        match record {
            TradesTopicRecord::Setting(venue, change) => {
                assert_eq!(venue.as_str(), "synthetic");
                let expected = SettingsChange::of_all(&SyntheticFeed::venue_settings());
                assert_eq!(change, expected);
                is_declared = true;
            }
            TradesTopicRecord::Trade(trade) => {
                assert!(is_declared);
                ids.push(id_and_kind(&trade));
            }
            other => assert_eq!(other, TradesTopicRecord::Advance),
        }
    }
    let sent = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert!(
        ids.len() < sent,
        "trades that were sent twice have the same ids"
    );
    for is_currency in [true, false] {
        let of_symbol = ids.iter().filter(|(_, without)| *without == is_currency);
        let numbers: Vec<_> = of_symbol.filter_map(|(number, _)| *number).collect();
        assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
        assert!(numbers.len() > 150, "{}", numbers.len());
    }
}

#[tokio::test]
async fn a_log_that_fails_permanently_ends_the_feed() {
    let (_, ended) = run_feed_for_a_minute(true).await;
    let error = ended.unwrap_err();
    assert!(matches!(
        error,
        CollectorError::Ingest(IngestError::Log(LogError::Closed))
    ));
}

#[tokio::test]
async fn a_feed_goes_on_after_its_venue_was_retired_and_starts_again() {
    let log = MemoryLog::new(1, 1, 1 << 20, ManualClock::new(START_NS));
    let folder = TempDir::new().unwrap();
    let store = SqliteBarStore::open(folder.path().join("bars"))
        .await
        .unwrap();
    let new_clock = || {
        let stop = CancellationToken::new();
        let clock = SteppedClock {
            passed_ns: Arc::default(),
            end_ns: 60 * SECOND_NS.unsigned_abs(),
            stop: stop.clone(),
        };
        (clock, stop)
    };
    let producer = IngestProducer::new(log.clone(), store, new_clock().0);
    let symbols = ["SPY"].map(|name| name.parse().unwrap());
    let feed = || SyntheticFeed::new(1, &symbols, 4).unwrap();
    let (clock, stop) = new_clock();
    let retire = async {
        while log.bounds(0).await.unwrap().end < 20 {
            tokio::task::yield_now().await;
        }
        let venue = feed().venue().clone();
        producer
            .retire_and_return_next_generation(&venue, 1)
            .await
            .unwrap();
    };
    let (ended, ()) = tokio::join!(run_feed(feed(), &producer, clock, stop), retire);
    ended.unwrap();
    let (clock, stop) = new_clock();
    run_feed(feed(), &producer, clock, stop).await.unwrap();
    let batch = log.fetch(0, 0, usize::MAX).await.unwrap();
    let trades_of = |key: &str| {
        let records = batch.records.iter();
        records
            .filter(|record| record.key == key.as_bytes())
            .count()
    };
    assert!(trades_of("synthetic:SPY") > 0);
    assert!(trades_of("synthetic@2:SPY") > 100);
}
