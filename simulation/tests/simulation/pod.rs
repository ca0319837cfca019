//! A pod: the real hub and follower, and REST over them.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::{BarUpdatesFollower, ChannelName, Hub, HubLimits};
use host::Health;
use ingest::IngestProducer;
use market::BarRow;
use tokio_util::sync::CancellationToken;

use crate::bar_store::SimBarStore;
use crate::clock::SimClock;
use crate::log::SimLog;
use crate::simulated::SimBackend;
use crate::tasks::Task;
use crate::trade_producer::PARTITIONS;

/// Limits so small that clients often need bars that the hub no longer holds.
const HUB_LIMITS: HubLimits = HubLimits {
    closed_bars: 1,
    idle_checks: 2,
};

/// A pod. Clones share the hub.
#[derive(Clone)]
pub struct Pod {
    pub hub: Hub,
    pub number: u64,
    /// The producer with which the pod declares venues.
    pub producer: Arc<SimProducer>,
    bars: SimBarStore,
}

pub type SimProducer = IngestProducer<SimLog, SimBarStore, SimClock>;

impl Pod {
    /// Returns a pod with an empty hub, and the tasks that feed it.
    pub fn start(
        number: u64,
        trades: &SimLog,
        updates: &SimLog,
        bars: &SimBarStore,
        clock: &SimClock,
    ) -> (Self, Vec<Task>) {
        let hub = Hub::new(eventlog::Log::epoch(updates), PARTITIONS, HUB_LIMITS);
        let producer = IngestProducer::new(trades.reopened(), bars.clone(), clock.clone());
        let producer = Arc::new(producer);
        let tasks = (0..PARTITIONS).map(|partition| {
            let follower: BarUpdatesFollower<SimBackend> = BarUpdatesFollower {
                partition,
                updates: updates.clone(),
                bars: bars.for_follower(),
                clock: clock.clone(),
                hub: hub.clone(),
                settings: producer.known_settings(),
                health: Health::default().register("hub"),
            };
            Box::pin(async move {
                let ended = follower.run(CancellationToken::new()).await;
                ended.map_err(|error| error.to_string())
            }) as Task
        });
        let tasks = tasks.collect();
        (
            Self {
                hub,
                number,
                producer,
                bars: bars.clone(),
            },
            tasks,
        )
    }

    /// Returns what the hub holds of a channel: the first half of a REST request.
    pub fn hub_rows(&self, name: &ChannelName) -> Vec<BarRow> {
        self.hub.held_bars(&name.instrument, name.interval)
    }

    /// Returns what the store holds of a channel: the second half.
    pub fn stored_rows(&self, name: &ChannelName) -> Vec<BarRow> {
        self.bars.read_stored(|stored| {
            let bars = stored.bars.iter().filter(|((instrument, window), _)| {
                *instrument == name.instrument && window.interval == name.interval
            });
            bars.map(|(_, row)| row.clone()).collect()
        })
    }
}

/// Returns the newest state of each bar, by start.
pub fn newest_rows(rows: impl IntoIterator<Item = BarRow>) -> BTreeMap<i64, BarRow> {
    let mut bars: BTreeMap<i64, BarRow> = BTreeMap::new();
    for row in rows {
        let known = bars.get(&row.window.start_ns);
        if known.is_none_or(|known| known.through < row.through) {
            bars.insert(row.window.start_ns, row);
        }
    }
    bars
}
