use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clock::{ManualClock, SystemClock};
use eventlog::{MemoryLog, NewRecord};
use host::Health;
use market::{Bar, BarRow, DeclaredSettings, Interval, Trade, Venue, VenueSettings};
use store::{
    BarKey, BarQuery, BarStore, CommitOutcome, DirtyMinuteRow, EpochEnds, ExcludedRange, IdRanges,
    IdRangesQuery, IdSegmentKey, IdSetKey, MemoryNewestPriceStore, PartitionState,
    PartitionTransaction, RegisteredTopicGeneration, SqliteTickStore, StoreError, StoredIdSegment,
    StoredIdSet, SymbolQuery, SymbolRow, TickVerdict, TopicGeneration, VenueRow,
};

use super::*;
use crate::hub::{ChannelName, HubLimits};

/// A reader that responds until it is frozen, and then never again.
#[derive(Clone, Default)]
struct FreezableReader(Arc<AtomicBool>);

impl FreezableReader {
    async fn respond<T>(&self, value: T) -> Result<T, StoreError> {
        match self.0.load(Ordering::Relaxed) {
            true => pending().await,
            false => Ok(value),
        }
    }
}

impl BarReader for FreezableReader {
    async fn all_partition_progress(&self) -> Result<Vec<PartitionProgress>, StoreError> {
        self.respond(Vec::new()).await
    }

    async fn bars(&self, _: &[BarKey]) -> Result<Vec<Option<BarRow>>, StoreError> {
        self.respond(Vec::new()).await
    }

    async fn bar_range(&self, _: &BarQuery) -> Result<Vec<BarRow>, StoreError> {
        self.respond(Vec::new()).await
    }

    async fn id_segments(&self, _: &[IdSegmentKey]) -> Result<Vec<StoredIdSegment>, StoreError> {
        unreachable!()
    }

    async fn id_sets(&self, _: &[IdSetKey]) -> Result<Vec<StoredIdSet>, StoreError> {
        pending().await
    }

    async fn id_ranges(&self, _: &IdRangesQuery) -> Result<Vec<(IdSetKey, IdRanges)>, StoreError> {
        self.respond(Vec::new()).await
    }

    async fn symbol(&self, _: &Instrument) -> Result<Option<SymbolRow>, StoreError> {
        self.respond(None).await
    }

    async fn symbols(&self, _: &SymbolQuery) -> Result<Vec<SymbolRow>, StoreError> {
        self.respond(Vec::new()).await
    }

    async fn symbol_count(&self) -> Result<usize, StoreError> {
        self.respond(0).await
    }

    async fn venue_settings_if_in_every_partition(
        &self,
        _: &Venue,
        _: u32,
    ) -> Result<Option<VenueRow>, StoreError> {
        self.respond(None).await
    }

    async fn venue_settings_in_partition(
        &self,
        _: &Venue,
        _: u32,
    ) -> Result<Option<VenueRow>, StoreError> {
        self.respond(None).await
    }

    async fn venues(&self) -> Result<Vec<VenueRow>, StoreError> {
        self.respond(Vec::new()).await
    }

    async fn excluded_ranges(
        &self,
        _: u32,
        _: u64,
        _: u64,
        _: u64,
    ) -> Result<Vec<ExcludedRange>, StoreError> {
        self.respond(Vec::new()).await
    }

    async fn count_excluded_ticks_since(
        &self,
        _: u32,
        _: TickVerdict,
        _: i64,
    ) -> Result<u64, StoreError> {
        self.respond(0).await
    }

    async fn epoch_ends(&self, _: u32) -> Result<EpochEnds, StoreError> {
        self.respond(EpochEnds::default()).await
    }

    async fn dirty_minutes(&self, _: u32) -> Result<Vec<DirtyMinuteRow>, StoreError> {
        self.respond(Vec::new()).await
    }

    async fn registered_topic_generations(
        &self,
        _: &str,
    ) -> Result<Vec<RegisteredTopicGeneration>, StoreError> {
        self.respond(Vec::new()).await
    }
}

/// A store whose reader freezes, and whose writes never end.
#[derive(Clone, Default)]
struct FreezableStore(FreezableReader);

impl BarStore for FreezableStore {
    type Reader = FreezableReader;
    type Snapshot = FreezableReader;

    fn reader(&self) -> &FreezableReader {
        &self.0
    }

    async fn load_or_create_partition(&self, _: u32, _: u64) -> Result<PartitionState, StoreError> {
        pending().await
    }

    async fn register_topic(&self, _: &TopicGeneration) -> Result<u64, StoreError> {
        pending().await
    }

    async fn commit(&self, _: &PartitionTransaction) -> Result<CommitOutcome, StoreError> {
        pending().await
    }

    async fn dry_run_commit(&self, _: &PartitionTransaction) -> Result<CommitOutcome, StoreError> {
        pending().await
    }

    async fn snapshot(&self) -> Result<FreezableReader, StoreError> {
        pending().await
    }

    async fn sync(&self) -> Result<(), StoreError> {
        pending().await
    }

    async fn delete_expired_batch(&self, _: i64, _: i64, _: i64) -> Result<u64, StoreError> {
        pending().await
    }
}

struct TestBackend;

impl Backend for TestBackend {
    type Trades = MemoryLog;
    type Updates = MemoryLog;
    type DeadLetters = MemoryLog;
    type Bars = FreezableStore;
    type Ticks = SqliteTickStore;
    type Hot = MemoryNewestPriceStore;
    type Clock = SystemClock;
}

fn update_record(offset: u64) -> NewRecord {
    let trade = Trade {
        time_ns: 0,
        price: market::Decimal::new(1, 0).unwrap(),
        quantity: None,
        side: None,
        id: None,
        scope: None,
        sender: None,
    };
    let through = Position { epoch: 1, offset };
    let row = BarRow {
        window: Interval::M1.window_containing(0),
        bar: Bar::from_trade(&trade, through, 0),
        closed: false,
        revision: 0,
        provable: true,
        through,
    };
    NewRecord {
        key: b"demo:A".to_vec().into(),
        value: schemas::encode_bar_update([row].iter()).into(),
    }
}

#[tokio::test(start_paused = true)]
async fn live_bars_continue_while_the_store_hangs() {
    let (bars, health) = (FreezableStore::default(), Health::default());
    let updates = MemoryLog::new(1, 1, 1 << 20, ManualClock::new(0));
    let hub = Hub::new(1, 1, HubLimits::default());
    let follower: BarUpdatesFollower<TestBackend> = BarUpdatesFollower {
        partition: 0,
        updates: updates.clone(),
        bars: bars.clone(),
        clock: SystemClock,
        hub: hub.clone(),
        settings: KnownSettings::default(),
        health: health.register("hub-0"),
    };
    let stop = CancellationToken::new();
    let following = tokio::spawn({
        let stop = stop.clone();
        async move { follower.run(stop).await }
    });
    let name = ChannelName {
        instrument: "demo:A".parse().unwrap(),
        interval: Interval::M1,
    };
    let newest = || {
        let rows = hub.held_bars(&name.instrument, name.interval);
        rows.first().map(|row| row.through.offset)
    };
    SystemClock.sleep(Duration::from_millis(500)).await;
    assert!(health.readiness().is_ready());
    bars.0.0.store(true, Ordering::Relaxed);
    for offset in 0..40 {
        updates
            .append(0, vec![update_record(offset)])
            .await
            .unwrap();
        SystemClock.sleep(Duration::from_millis(100)).await;
        assert_eq!(newest(), Some(offset));
    }
    let begin_ns = SystemClock.monotonic_ns();
    stop.cancel();
    following.await.unwrap().unwrap();
    assert_eq!(SystemClock.monotonic_ns(), begin_ns);
}

/// Lets time pass until the condition holds.
async fn wait_until(condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            SystemClock.sleep(Duration::from_millis(10)).await;
        }
    };
    let waited = clock::timeout(&SystemClock, Duration::from_secs(60), waiting).await;
    waited.expect("the condition holds within a minute");
}

#[tokio::test(start_paused = true)]
async fn announced_settings_are_known_and_earlier_ones_do_not_replace_them() {
    let updates = MemoryLog::new(1, 1, 1 << 20, ManualClock::new(0));
    let settings = KnownSettings::default();
    let follower: BarUpdatesFollower<TestBackend> = BarUpdatesFollower {
        partition: 0,
        updates: updates.clone(),
        bars: FreezableStore::default(),
        clock: SystemClock,
        hub: Hub::new(1, 1, HubLimits::default()),
        settings: settings.clone(),
        health: Health::default().register("hub-0"),
    };
    let venue: Venue = "v".parse().unwrap();
    let declared = |offset| DeclaredSettings {
        settings: VenueSettings {
            lateness_ns: i64::try_from(offset).unwrap(),
            ..VenueSettings::default()
        },
        declared_at: Position { epoch: 1, offset },
    };
    // Read from the store before the follower began: announcements of later ones may be past.
    settings.insert_read(&venue, declared(1), settings.before_read());
    let stop = CancellationToken::new();
    let following = tokio::spawn({
        let stop = stop.clone();
        async move { follower.run(stop).await }
    });
    wait_until(|| settings.get("v").is_none()).await;
    settings.insert_read(&venue, declared(2), settings.before_read());
    // An announcement of this venue follows each of the other, and shows that both were read.
    let marker: Venue = "marker".parse().unwrap();
    settings.insert_read(&marker, declared(0), settings.before_read());
    for (number, (offset, expected)) in (1..).zip([(5, 5), (3, 5), (7, 7)]) {
        let announce = |venue: &Venue, offset| NewRecord {
            key: Vec::new().into(),
            value: schemas::encode_settings_announcement(venue, &declared(offset)).into(),
        };
        let records = vec![announce(&venue, offset), announce(&marker, number)];
        updates.append(0, records).await.unwrap();
        wait_until(|| settings.get("marker") == Some(declared(number))).await;
        assert_eq!(settings.get("v"), Some(declared(expected)));
    }
    stop.cancel();
    following.await.unwrap().unwrap();
}
