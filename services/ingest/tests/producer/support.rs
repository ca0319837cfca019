//! A log in memory, a store in SQLite, and values for the tests.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use candlewick_ingest::IngestProducer;
use clock::{ManualClock, SystemClock};
use eventlog::{
    Epoch, Log, LogError, MemoryLog, NewRecord, Offset, OffsetBounds, PartitionId, RecordBatch,
};
use market::{
    Decimal, IdScheme, Instrument, Position, SettingsChange, TieOrder, Trade, TradeId, Venue,
    VenueSettings,
};
use schemas::TradesTopicRecord;
use store::{
    BarStore, PartitionProgress, PartitionTransaction, SqliteBarStore, SymbolRow, VenueRow,
};
use tempfile::TempDir;
use tokio::sync::Semaphore;

pub(crate) const PARTITIONS: PartitionId = 4;
pub(crate) const NOW_NS: i64 = 1_700_000_000_000_000_000;

/// What keeps a log from accepting an append.
#[derive(Clone)]
pub(crate) enum AppendFault {
    /// The next appends find the log busy, as many as this.
    Busy(Arc<AtomicUsize>),
    /// One partition refuses every append.
    Refused(PartitionId),
    /// One partition holds every append back until the semaphore, which has no permits, is closed.
    HeldBack(PartitionId, Arc<Semaphore>),
}

/// A log with a fault.
#[derive(Clone)]
pub(crate) struct FaultyLog {
    pub(crate) log: MemoryLog,
    pub(crate) fault: AppendFault,
}

impl AppendFault {
    /// Returns once the fault lets an append pass, or the error of the append.
    async fn pass(&self, partition: PartitionId) -> Result<(), LogError> {
        let one_less = |left: usize| left.checked_sub(1);
        let order = Ordering::Relaxed;
        match self {
            Self::Busy(appends) if appends.fetch_update(order, order, one_less).is_ok() => {
                Err(LogError::Busy { pending_bytes: 1 })
            }
            Self::Refused(bad) if *bad == partition => Err(LogError::Denied {
                topic: "trades".to_owned(),
                reason: "no Write".to_owned(),
            }),
            Self::HeldBack(bad, opened) if *bad == partition => {
                let _ = opened.acquire().await;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl Log for FaultyLog {
    fn partition_count(&self) -> PartitionId {
        self.log.partition_count()
    }

    fn epoch(&self) -> Epoch {
        self.log.epoch()
    }

    async fn append(
        &self,
        partition: PartitionId,
        records: Vec<NewRecord>,
    ) -> Result<Range<Offset>, LogError> {
        self.fault.pass(partition).await?;
        self.log.append(partition, records).await
    }

    async fn fetch(
        &self,
        partition: PartitionId,
        offset: Offset,
        max_bytes: usize,
    ) -> Result<RecordBatch, LogError> {
        self.log.fetch(partition, offset, max_bytes).await
    }

    async fn wait_for_record(
        &self,
        partition: PartitionId,
        offset: Offset,
    ) -> Result<(), LogError> {
        self.log.wait_for_record(partition, offset).await
    }

    async fn bounds(&self, partition: PartitionId) -> Result<OffsetBounds, LogError> {
        self.log.bounds(partition).await
    }
}

pub(crate) fn empty_log() -> MemoryLog {
    MemoryLog::new(PARTITIONS, 1, 1 << 20, ManualClock::new(NOW_NS))
}

/// Returns an empty store, and the folder that is deleted with it.
pub(crate) async fn empty_store() -> (TempDir, SqliteBarStore) {
    let folder = TempDir::new().unwrap();
    let store = SqliteBarStore::open(folder.path().join("bars"))
        .await
        .unwrap();
    (folder, store)
}

pub(crate) fn new_producer<L: Log>(
    log: &L,
    store: &SqliteBarStore,
) -> IngestProducer<L, SqliteBarStore, SystemClock> {
    IngestProducer::new(log.clone(), store.clone(), SystemClock)
}

/// Stores a venue's settings as the fold of a partition does.
pub(crate) async fn store_folded_venue(store: &SqliteBarStore, partition: u32, venue: &Venue) {
    store.load_or_create_partition(partition, 1).await.unwrap();
    let mut transaction = first_transaction(partition);
    transaction.venues = vec![VenueRow {
        venue: venue.clone(),
        settings: contiguous_settings(),
        declared_at: Position::default(),
    }];
    store.commit(&transaction).await.unwrap();
}

/// Stores symbols as the fold of partition 0 does.
pub(crate) async fn store_folded_symbols(store: &SqliteBarStore, symbols: Vec<SymbolRow>) {
    store.load_or_create_partition(0, 1).await.unwrap();
    let mut transaction = first_transaction(0);
    transaction.symbols = symbols;
    store.commit(&transaction).await.unwrap();
}

fn first_transaction(partition: u32) -> PartitionTransaction {
    let expected = Position {
        epoch: 1,
        offset: 0,
    };
    let progress = PartitionProgress {
        partition,
        epoch: 1,
        next_offset: 1,
        updates_position: Position::default(),
        append_time_ns: NOW_NS,
    };
    PartitionTransaction::empty(expected, progress)
}

pub(crate) fn trade(id: u64) -> Trade {
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

pub(crate) fn parse_instrument(key: &str) -> Instrument {
    key.parse().unwrap()
}

pub(crate) fn contiguous_settings() -> VenueSettings {
    VenueSettings {
        scheme: IdScheme::Contiguous,
        ties: TieOrder::Id,
        ..VenueSettings::default()
    }
}

pub(crate) fn contiguous_change() -> SettingsChange {
    SettingsChange::of_all(&contiguous_settings())
}

/// Reads the records of a partition with their keys.
pub(crate) async fn read_records(
    log: &impl Log,
    partition: PartitionId,
) -> Vec<(String, TradesTopicRecord)> {
    let batch = log.fetch(partition, 0, usize::MAX).await.unwrap();
    let decode = |record: &eventlog::Record| {
        let key = String::from_utf8(record.key.to_vec()).unwrap();
        (key, TradesTopicRecord::decode(&record.value).unwrap())
    };
    batch.records.iter().map(decode).collect()
}
