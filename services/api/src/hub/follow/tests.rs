use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clock::SystemClock;
use eventlog::{MemoryLog, NewRecord};
use host::Health;
use market::{Bar, BarRow, Interval, Position, Trade, Venue, VenueSettings};
use store::{
    BarKey, BarQuery, DirtyMinuteRow, ExcludedRange, IdRangeQuery, IdRanges, IdSetKey, IdSetRow,
    StoreError, SymbolQuery, SymbolRow, VenueRow,
};

use super::*;
use crate::hub::{ChannelName, HubLimits};

/// A store that answers until it is frozen, and then never again.
#[derive(Clone, Default)]
struct Frozen(Arc<AtomicBool>);

impl Frozen {
    async fn answer<T>(&self, value: T) -> Result<T, StoreError> {
        match self.0.load(Ordering::Relaxed) {
            true => pending().await,
            false => Ok(value),
        }
    }
}

impl BarReader for Frozen {
    async fn progress(&self) -> Result<Vec<PartitionProgress>, StoreError> {
        self.answer(Vec::new()).await
    }

    async fn bars(&self, _: &[BarKey]) -> Result<Vec<Option<BarRow>>, StoreError> {
        self.answer(Vec::new()).await
    }

    async fn bar_range(&self, _: &BarQuery) -> Result<Vec<BarRow>, StoreError> {
        self.answer(Vec::new()).await
    }

    async fn ids(&self, _: &[IdSetKey]) -> Result<Vec<IdSetRow>, StoreError> {
        pending().await
    }

    async fn id_ranges(&self, _: &IdRangeQuery) -> Result<Vec<(IdSetKey, IdRanges)>, StoreError> {
        self.answer(Vec::new()).await
    }

    async fn symbol(&self, _: &Instrument) -> Result<Option<SymbolRow>, StoreError> {
        self.answer(None).await
    }

    async fn symbols(&self, _: &SymbolQuery) -> Result<Vec<SymbolRow>, StoreError> {
        self.answer(Vec::new()).await
    }

    async fn venue(&self, _: &Venue, _: u32) -> Result<Option<VenueSettings>, StoreError> {
        self.answer(None).await
    }

    async fn venues(&self) -> Result<Vec<VenueRow>, StoreError> {
        self.answer(Vec::new()).await
    }

    async fn rejected(
        &self,
        _: u32,
        _: u64,
        _: u64,
        _: u64,
    ) -> Result<Vec<ExcludedRange>, StoreError> {
        self.answer(Vec::new()).await
    }

    async fn dirty(&self, _: u32) -> Result<Vec<DirtyMinuteRow>, StoreError> {
        self.answer(Vec::new()).await
    }

    async fn epoch(&self, _: &str, _: &str) -> Result<Option<u64>, StoreError> {
        self.answer(None).await
    }
}

fn update(offset: u64) -> NewRecord {
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
        window: Interval::M1.window(0),
        bar: Bar::of(&trade, through, 0),
        closed: false,
        revision: 0,
        through,
    };
    NewRecord {
        key: b"demo:A".to_vec().into(),
        value: schemas::encode_bar_update([row].iter()).into(),
    }
}

#[tokio::test(start_paused = true)]
async fn live_bars_go_on_while_the_store_hangs() {
    let (bars, health) = (Frozen::default(), Health::default());
    let updates = MemoryLog::new(1, 1, 1 << 20, Arc::new(|| 0));
    let hub = Hub::new(1, 1, HubLimits::default());
    let follower = Follower {
        partition: 0,
        updates: updates.clone(),
        bars: bars.clone(),
        clock: SystemClock,
        hub: hub.clone(),
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
        let rows = hub.rows(&name.instrument, name.interval);
        rows.first().map(|row| row.through.offset)
    };
    SystemClock.sleep(Duration::from_millis(500)).await;
    assert!(health.readiness().is_ready());
    bars.0.store(true, Ordering::Relaxed);
    for offset in 0..40 {
        updates.append(0, vec![update(offset)]).await.unwrap();
        SystemClock.sleep(Duration::from_millis(100)).await;
        assert_eq!(newest(), Some(offset));
    }
    let begin_ns = SystemClock.monotonic_ns();
    stop.cancel();
    following.await.unwrap().unwrap();
    assert_eq!(SystemClock.monotonic_ns(), begin_ns);
}
