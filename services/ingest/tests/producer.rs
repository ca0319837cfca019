//! A producer in front of a log in memory and a store in SQLite.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use candlewick_ingest::{IngestError, Producer};
use clock::SystemClock;
use eventlog::{Batch, Bounds, Epoch, Log, LogError, MemoryLog, NewRecord, Offset, PartitionId};
use market::{
    Amendment, AmendmentKind, Decimal, IdScheme, IdScope, Instrument, Position, RejectReason,
    Trade, TradeId, Venue, VenueSettings,
};
use schemas::{Repair, TradesRecord, partition_of};
use store::{BarStore, PartitionProgress, SqliteBarStore, Transaction, VenueRow};
use tempfile::TempDir;

const PARTITIONS: PartitionId = 4;
const NOW_NS: i64 = 1_700_000_000_000_000_000;

/// A log that is busy for some appends before it takes any.
#[derive(Clone)]
struct BusyLog {
    log: MemoryLog,
    busy_for: Arc<AtomicUsize>,
}

impl Log for BusyLog {
    fn partitions(&self) -> PartitionId {
        self.log.partitions()
    }

    fn epoch(&self) -> Epoch {
        self.log.epoch()
    }

    async fn append(
        &self,
        to: PartitionId,
        entries: Vec<NewRecord>,
    ) -> Result<Range<Offset>, LogError> {
        let busy = |left: usize| left.checked_sub(1);
        let order = Ordering::Relaxed;
        if self.busy_for.fetch_update(order, order, busy).is_ok() {
            return Err(LogError::Busy { pending_bytes: 1 });
        }
        self.log.append(to, entries).await
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

fn log() -> MemoryLog {
    MemoryLog::new(PARTITIONS, 1, 1 << 20, Arc::new(|| NOW_NS))
}

/// A store that nothing was folded into, in a folder that goes with it.
async fn store() -> (TempDir, SqliteBarStore) {
    let folder = TempDir::new().unwrap();
    let store = SqliteBarStore::open(folder.path().join("bars"))
        .await
        .unwrap();
    (folder, store)
}

fn producer<L: Log>(log: &L, store: &SqliteBarStore) -> Producer<L, SqliteBarStore, SystemClock> {
    Producer::new(log.clone(), store.clone(), SystemClock)
}

/// Stores a venue's settings as the fold of a partition would.
async fn fold_venue(store: &SqliteBarStore, partition: u32, venue: &Venue) {
    store.load(partition, 1).await.unwrap();
    let transaction = Transaction {
        expected: Position {
            epoch: 1,
            offset: 0,
        },
        progress: PartitionProgress {
            partition,
            epoch: 1,
            next_offset: 1,
            updates: Position::default(),
            append_time_ns: NOW_NS,
        },
        bars: Vec::new(),
        symbols: Vec::new(),
        venues: vec![VenueRow {
            venue: venue.clone(),
            settings: contiguous(),
        }],
        ids: Vec::new(),
        rejected: Vec::new(),
        dirty: Vec::new(),
        ahead: Vec::new(),
    };
    store.commit(&transaction).await.unwrap();
}

fn trade(id: u64) -> Trade {
    Trade {
        time_ns: NOW_NS,
        price: Decimal::new(5, 1).unwrap(),
        quantity: None,
        side: None,
        id: Some(TradeId::Number(id)),
        scope: None,
        sender: None,
    }
}

fn instrument(key: &str) -> Instrument {
    key.parse().unwrap()
}

fn contiguous() -> VenueSettings {
    VenueSettings {
        scheme: IdScheme::Contiguous,
        ..VenueSettings::default()
    }
}

/// The records of a partition: keys and what they hold.
async fn records(log: &impl Log, partition: PartitionId) -> Vec<(String, TradesRecord)> {
    let batch = log.fetch(partition, 0, usize::MAX).await.unwrap();
    let read = |record: &eventlog::Record| {
        let key = String::from_utf8(record.key.to_vec()).unwrap();
        (key, TradesRecord::decode(&record.value).unwrap())
    };
    batch.records.iter().map(read).collect()
}

#[tokio::test]
async fn trades_go_in_order_to_the_partitions_that_their_keys_name() {
    let log = log();
    let (_folder, store) = store().await;
    let keys: Vec<_> = (0..20).map(|number| format!("venue:S{number}")).collect();
    let trades: Vec<_> = (0..200)
        .map(|id| (instrument(&keys[id * 7 % 20]), trade(id as u64)))
        .collect();
    let appended = producer(&log, &store).append(trades.clone()).await.unwrap();
    assert_eq!((appended.accepted, appended.rejected), (200, vec![]));
    for partition in 0..PARTITIONS {
        let mut expected = vec![(
            String::new(),
            TradesRecord::Setting("venue".parse().unwrap(), VenueSettings::default()),
        )];
        for (instrument, trade) in &trades {
            if partition_of(instrument.key().as_bytes(), PARTITIONS) == partition {
                let key = instrument.key().to_owned();
                expected.push((key, TradesRecord::Trade(trade.clone())));
            }
        }
        assert_eq!(records(&log, partition).await, expected);
    }
}

#[tokio::test]
async fn refused_trades_are_listed_and_the_others_kept() {
    let log = log();
    let (_folder, store) = store().await;
    let producer = producer(&log, &store);
    let venue: Venue = "v".parse().unwrap();
    producer.declare(&venue, contiguous()).await.unwrap();
    let mut trades = vec![trade(0); 5];
    trades[1].time_ns = -1;
    trades[2].id = None;
    trades[3].price = Decimal::ZERO;
    let trades = trades.into_iter().map(|trade| (instrument("v:S"), trade));
    let appended = producer.append(trades.collect()).await.unwrap();
    assert_eq!(appended.accepted, 2);
    let expected = [
        (1, RejectReason::TimeBefore1970),
        (2, RejectReason::IdMissing),
        (3, RejectReason::PriceNotPositive),
    ];
    assert_eq!(appended.rejected, expected);
    let partition = partition_of(b"v:S", PARTITIONS);
    assert_eq!(records(&log, partition).await.len(), 3);
}

#[tokio::test]
async fn scheme_and_scope_are_fixed_and_the_rest_may_change() {
    let log = log();
    let (_folder, store) = store().await;
    let first = producer(&log, &store);
    let venue: Venue = "v".parse().unwrap();
    first.declare(&venue, contiguous()).await.unwrap();
    // Another process, to which the store says nothing yet.
    for producer in [&first, &producer(&log, &store)] {
        for (scheme, scope) in [
            (IdScheme::Unique, IdScope::Symbol),
            (IdScheme::Contiguous, IdScope::Day),
        ] {
            let other = VenueSettings {
                scheme,
                scope,
                ..contiguous()
            };
            let error = producer.declare(&venue, other).await.unwrap_err();
            assert!(matches!(error, IngestError::Conflict { .. }), "{error}");
        }
    }
    let later = VenueSettings {
        lateness_ns: 7,
        ..contiguous()
    };
    assert_eq!(first.declare(&venue, later).await.unwrap(), later);
    assert_eq!(first.settings(&venue).await.unwrap(), Some(later));
    let beyond = VenueSettings {
        idle_ns: VenueSettings::LONGEST_NS + 1,
        ..contiguous()
    };
    let error = first.declare(&venue, beyond).await.unwrap_err();
    assert!(matches!(
        error,
        IngestError::OutOfRange { field: "idle_ms" }
    ));
    for partition in 0..PARTITIONS {
        assert_eq!(records(&log, partition).await.len(), 2);
    }
}

#[tokio::test]
async fn a_declaration_that_was_cut_off_is_completed_as_it_was_meant() {
    let log = log();
    let (_folder, store) = store().await;
    let venue: Venue = "v".parse().unwrap();
    let setting = TradesRecord::Setting(venue.clone(), contiguous());
    let mut value = Vec::new();
    setting.encode(&mut value);
    let entry = NewRecord {
        key: bytes::Bytes::new(),
        value: value.into(),
    };
    log.append(0, vec![entry]).await.unwrap();
    let producer = producer(&log, &store);
    let trades = vec![(instrument("v:S"), trade(1))];
    assert_eq!(producer.append(trades).await.unwrap().accepted, 1);
    assert_eq!(producer.settings(&venue).await.unwrap(), Some(contiguous()));
    for partition in 0..PARTITIONS {
        assert_eq!(records(&log, partition).await.first().unwrap().1, setting);
    }
}

#[tokio::test(start_paused = true)]
async fn a_busy_log_is_tried_again_until_the_deadline() {
    let (_folder, store) = store().await;
    let busy = BusyLog {
        log: log(),
        busy_for: Arc::default(),
    };
    let producer = producer(&busy, &store).with_deadline(Duration::from_secs(2));
    let trades = || vec![(instrument("v:S"), trade(1)), (instrument("v:T"), trade(1))];
    busy.busy_for.store(6, Ordering::Relaxed);
    assert_eq!(producer.append(trades()).await.unwrap().accepted, 2);
    busy.busy_for.store(usize::MAX, Ordering::Relaxed);
    let error = producer.append(trades()).await.unwrap_err();
    assert!(matches!(error, IngestError::Busy { waited_ms } if waited_ms <= 2_000));
    assert!(error.is_transient());
}

#[tokio::test]
async fn settings_are_in_force_once_every_partition_has_folded_them() {
    let log = log();
    let (_folder, store) = store().await;
    let venue: Venue = "v".parse().unwrap();
    for partition in 0..PARTITIONS {
        let settings = producer(&log, &store).settings(&venue).await.unwrap();
        assert_eq!(settings, None);
        fold_venue(&store, partition, &venue).await;
    }
    let producer = producer(&log, &store);
    assert_eq!(producer.settings(&venue).await.unwrap(), Some(contiguous()));
    let error = producer.declare(&venue, VenueSettings::default()).await;
    assert!(matches!(error, Err(IngestError::Conflict { .. })));
    // The same again changes nothing, so nothing is appended.
    producer.declare(&venue, contiguous()).await.unwrap();
    assert_eq!(log.bounds(0).await.unwrap().end, 0);
}

fn cancel(id: u64, place: Option<Position>) -> Amendment {
    Amendment {
        id: TradeId::Number(id),
        kind: AmendmentKind::Cancel,
        place,
    }
}

fn reject_of<T: std::fmt::Debug>(answer: Result<T, IngestError>) -> RejectReason {
    let error = answer.unwrap_err();
    let IngestError::Rejected { reject } = error else {
        unreachable!("{error}");
    };
    reject
}

#[tokio::test]
async fn an_amendment_goes_where_its_trade_is_and_says_where_it_is() {
    let log = log();
    let (_folder, store) = store().await;
    let producer = producer(&log, &store);
    let (one, venue) = (instrument("v:S"), "v".parse().unwrap());
    producer.declare(&venue, contiguous()).await.unwrap();
    let partition = partition_of(b"v:S", PARTITIONS);
    let mut expected = records(&log, partition).await;
    for id in 1..4 {
        let amendment = Amendment {
            kind: AmendmentKind::Edit,
            ..cancel(id, None)
        };
        let placed = producer
            .amend(&one, amendment.clone(), trade(id))
            .await
            .unwrap();
        let position = Position {
            epoch: 1,
            offset: expected.len() as u64,
        };
        assert_eq!((placed.partition, placed.position), (partition, position));
        let record = TradesRecord::Amendment(amendment, trade(id));
        expected.push(("v:S".to_owned(), record));
    }
    assert_eq!(records(&log, partition).await, expected);
}

#[tokio::test]
async fn an_amendment_that_the_fold_would_refuse_is_not_appended() {
    let log = log();
    let (_folder, store) = store().await;
    let producer = producer(&log, &store);
    let one = instrument("v:S");
    let answer = producer.amend(&one, cancel(1, None), trade(1)).await;
    assert_eq!(reject_of(answer), RejectReason::VenueUnknown);
    let range = Repair {
        start_ns: 0,
        end_ns: market::MINUTE_NS,
    };
    let answer = producer.repair(&one, &[range]).await;
    assert_eq!(reject_of(answer), RejectReason::VenueUnknown);
    for partition in 0..PARTITIONS {
        assert_eq!(log.bounds(partition).await.unwrap().end, 0, "not declared");
    }

    let venue = "v".parse().unwrap();
    let unique = VenueSettings::default();
    producer.declare(&venue, unique).await.unwrap();
    let nameless = Trade {
        id: None,
        ..trade(1)
    };
    let free = Trade {
        price: Decimal::ZERO,
        ..trade(1)
    };
    let edit = Amendment {
        kind: AmendmentKind::Edit,
        ..cancel(1, None)
    };
    let future = Trade {
        time_ns: i64::MAX,
        ..trade(1)
    };
    let partition = partition_of(b"v:S", PARTITIONS);
    let end = log.bounds(partition).await.unwrap().end;
    let place = |epoch, offset| Some(Position { epoch, offset });
    for (amendment, trade, expected) in [
        (
            cancel(1, None),
            nameless.clone(),
            RejectReason::TargetMissing,
        ),
        (
            cancel(1, place(1, end)),
            nameless.clone(),
            RejectReason::TargetMissing,
        ),
        (
            cancel(1, place(2, 0)),
            nameless.clone(),
            RejectReason::TargetMissing,
        ),
        (edit, free.clone(), RejectReason::PriceNotPositive),
        (cancel(1, None), future, RejectReason::TimeInFuture),
    ] {
        let answer = producer.amend(&one, amendment, trade).await;
        assert_eq!(reject_of(answer), expected);
    }
    assert_eq!(log.bounds(partition).await.unwrap().end, end);
    // Of a cancel the price means nothing, and a place before the end may hold a trade.
    for (amendment, trade) in [
        (cancel(1, None), free),
        (cancel(2, place(1, end - 1)), nameless),
    ] {
        producer.amend(&one, amendment, trade).await.unwrap();
    }
    assert_eq!(log.bounds(partition).await.unwrap().end, end + 2);
}

#[tokio::test]
async fn repairs_are_appended_in_order_where_they_are_sound() {
    let log = log();
    let (_folder, store) = store().await;
    let producer = producer(&log, &store);
    let (one, venue) = (instrument("v:S"), "v".parse().unwrap());
    // Declared a moment ago by another process, and to the first partition alone.
    let mut value = Vec::new();
    TradesRecord::Setting(venue, contiguous()).encode(&mut value);
    let entry = NewRecord {
        key: bytes::Bytes::new(),
        value: value.into(),
    };
    log.append(0, vec![entry]).await.unwrap();
    let minute = market::MINUTE_NS;
    let range = |start, end| Repair {
        start_ns: start * minute,
        end_ns: end * minute,
    };
    for unsound in [vec![], vec![range(1, 2), range(3, 3)], vec![range(0, 1441)]] {
        let error = producer.repair(&one, &unsound).await.unwrap_err();
        assert!(matches!(error, IngestError::RepairUnsound), "{error}");
    }
    let ranges = [range(5, 1445), range(7, 8)];
    let placed = producer.repair(&one, &ranges).await.unwrap();
    let partition = partition_of(b"v:S", PARTITIONS);
    let held = records(&log, partition).await;
    let at = usize::try_from(placed.position.offset).unwrap();
    assert_eq!((placed.partition, held.len()), (partition, at + 2));
    let found: Vec<_> = held[at..]
        .iter()
        .map(|(_, record)| record.clone())
        .collect();
    assert_eq!(found, ranges.map(TradesRecord::Repair));
}
