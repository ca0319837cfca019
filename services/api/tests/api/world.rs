//! A whole Candlewick in a folder of its own, and a client of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aggregator::{Stores, Topics, Worker, WorkerConfig};
use archiver::{Archiver, BlockPolicy};
use backend::Backend;
use candlewick_api::{ApiParts, ApiState, Follower, Hub, HubLimits, NewestPrices, router, serve};
use clock::{Clock, SystemClock};
use eventlog::{EmbeddedLog, EmbeddedOptions, Log, MemoryLog, Retention};
use host::Health;
use ingest::Producer;
use serde_json::Value;
use store::{BarReader, MemoryHotStore, SqliteBarStore, SqliteTickStore, TickStore};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::{JoinSet, spawn_blocking};
use tokio_util::sync::{CancellationToken, DropGuard};

pub(crate) const PARTITIONS: u32 = 4;
/// When the log takes every record: 2026-01-01T00:00:00Z.
const APPEND_NS: i64 = 1_767_225_600_000_000_000;
const RING_BYTES: usize = 4 * 1024 * 1024;

/// The clock of the log, which stands still: by the machine's, what was appended then would be
/// too old to be folded anew.
#[derive(Clone)]
struct LogClock;

impl Clock for LogClock {
    fn now_ns(&self) -> i64 {
        APPEND_NS
    }

    fn monotonic_ns(&self) -> u64 {
        SystemClock.monotonic_ns()
    }

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send {
        SystemClock.sleep(duration)
    }
}

/// The log and the stores of a data folder, at the log's clock.
struct Embedded;

impl Backend for Embedded {
    type Trades = EmbeddedLog;
    type Updates = MemoryLog;
    type DeadLetters = MemoryLog;
    type Bars = SqliteBarStore;
    type Ticks = SqliteTickStore;
    type Hot = MemoryHotStore;
    type Clock = LogClock;
}

/// A whole Candlewick. Nothing in it depends on the time of day, so answers can be compared.
pub(crate) struct World {
    address: SocketAddr,
    trades: EmbeddedLog,
    bars: SqliteBarStore,
    ticks: SqliteTickStore,
    hot: MemoryHotStore,
    _tasks: JoinSet<()>,
    _stop: DropGuard,
    _folder: TempDir,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) kind: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| {
            panic!("{error} in the answer {} {}", self.status, self.text);
        })
    }

    /// The answer as a snapshot shows it.
    pub(crate) fn shown(&self) -> String {
        let body = serde_json::to_string_pretty(&self.json()).unwrap();
        format!("{} {}\n{body}", self.status, self.kind)
    }

    pub(crate) fn data(&self) -> Vec<Value> {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json()["data"].as_array().unwrap().clone()
    }
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_with(true).await
    }

    /// With newest prices that the API sees, or without.
    pub(crate) async fn start_with(has_prices: bool) -> Self {
        let folder = TempDir::new().unwrap();
        let now: eventlog::Now = Arc::new(|| APPEND_NS);
        let options = EmbeddedOptions {
            topic: "trades".to_owned(),
            partitions: PARTITIONS,
            retention: Retention::FOREVER,
            max_pending_bytes: 64 * 1024 * 1024,
            now: now.clone(),
        };
        let trades = EmbeddedLog::open(folder.path().join("trades"), options).unwrap();
        let bars = SqliteBarStore::open(folder.path().join("bars"))
            .await
            .unwrap();
        let ticks = SqliteTickStore::open(folder.path().join("ticks"))
            .await
            .unwrap();
        let updates = MemoryLog::new(PARTITIONS, 1, RING_BYTES, now);
        let stop = CancellationToken::new();
        let hub = Hub::new(1, PARTITIONS, HubLimits::default());
        let health = Health::default();
        let mut world = Self {
            address: ([127, 0, 0, 1], 0).into(),
            trades,
            bars,
            ticks,
            hot: MemoryHotStore::default(),
            _tasks: JoinSet::new(),
            _stop: stop.clone().drop_guard(),
            _folder: folder,
        };
        for partition in 0..PARTITIONS {
            world.start_partition(partition, &updates, &hub, &health, &stop);
        }
        let listener = TcpListener::bind(world.address).await.unwrap();
        world.address = listener.local_addr().unwrap();
        let state = ApiState::new(ApiParts {
            log: world.trades.clone(),
            log_id: "0123456789abcdef0123456789abcdef".to_owned(),
            bars: world.bars.clone(),
            ticks: world.ticks.clone(),
            hot: NewestPrices::of(match has_prices {
                true => world.hot.clone(),
                false => MemoryHotStore::default(),
            }),
            clock: SystemClock,
            producer: Arc::new(Producer::new(
                world.trades.clone(),
                world.bars.clone(),
                SystemClock,
            )),
            hub,
            health,
            render_metrics: Arc::new(|| "# no metrics\n".to_owned()),
            version: "1.2.3",
            stop: stop.clone(),
        });
        world._tasks.spawn(async move {
            serve(listener, router(state), stop).await;
        });
        world
    }

    fn start_partition(
        &mut self,
        partition: u32,
        updates: &MemoryLog,
        hub: &Hub,
        health: &Health,
        stop: &CancellationToken,
    ) {
        let worker: Worker<Embedded> = Worker {
            partition,
            topics: Topics {
                trades: self.trades.clone(),
                updates: updates.clone(),
                dead_letters: MemoryLog::new(PARTITIONS, 1, RING_BYTES, Arc::new(|| APPEND_NS)),
            },
            stores: Stores {
                bars: self.bars.clone(),
                ticks: self.ticks.clone(),
                hot: self.hot.clone(),
                clock: LogClock,
            },
            config: WorkerConfig {
                commit_interval: Duration::from_millis(5),
                // Advances would move offsets as time passes.
                advance_interval: Duration::from_secs(3600),
                ..WorkerConfig::default()
            },
            metrics: aggregator::Metrics::new(partition),
            health: health.register(&format!("aggregator-{partition}")),
        };
        let archiver = Archiver {
            partition,
            trades: self.trades.clone(),
            ticks: self.ticks.clone(),
            clock: SystemClock,
            cut: BlockPolicy {
                after: Duration::from_millis(5),
                ..BlockPolicy::default()
            },
            metrics: archiver::Metrics::new(partition),
            health: health.register(&format!("archiver-{partition}")),
        };
        let follower = Follower {
            partition,
            updates: updates.clone(),
            bars: self.bars.clone(),
            clock: SystemClock,
            hub: hub.clone(),
            health: health.register(&format!("hub-{partition}")),
        };
        let stops = [stop.clone(), stop.clone(), stop.clone()];
        let [fold, archive, follow] = stops;
        self._tasks
            .spawn(async move { worker.run(fold).await.unwrap() });
        self._tasks
            .spawn(async move { archiver.run(archive).await.unwrap() });
        self._tasks
            .spawn(async move { follower.run(follow).await.unwrap() });
    }

    /// Waits until everything in the log is folded and archived.
    pub(crate) async fn settle(&self) {
        loop {
            let progress = self.bars.progress().await.unwrap();
            let mut settled = progress.len() == PARTITIONS as usize;
            for row in progress {
                let end = self.trades.bounds(row.partition).await.unwrap().end;
                let archived = self.ticks.position(row.partition).await.unwrap();
                let archived = archived.map_or(0, |position| position.offset);
                settled &= row.next_offset == end && archived == end;
            }
            if settled {
                return;
            }
            SystemClock.sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until, beside that, every marked minute has been folded anew.
    pub(crate) async fn settle_marks(&self) {
        loop {
            self.settle().await;
            let mut marks = 0;
            for partition in 0..PARTITIONS {
                marks += self.bars.dirty(partition).await.unwrap().len();
            }
            if marks == 0 {
                return;
            }
            SystemClock.sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], Vec::new()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], Vec::new()).await
    }

    pub(crate) async fn put(&self, path: &str, body: &str) -> Answer {
        self.send("PUT", path, &[], body.into()).await
    }

    /// Sends trades of a content type, and waits until they are folded.
    pub(crate) async fn post(&self, kind: &'static str, body: impl Into<Vec<u8>>) -> Answer {
        let headers = [("Content-Type", kind)];
        let answer = self
            .send("POST", "/api/v1/trades", &headers, body.into())
            .await;
        self.settle().await;
        answer
    }

    pub(crate) async fn send(
        &self,
        method: &'static str,
        path: &str,
        headers: &[(&'static str, &'static str)],
        body: Vec<u8>,
    ) -> Answer {
        let mut request = axum::http::Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body).unwrap();
        spawn_blocking(move || {
            let config = ureq::Agent::config_builder()
                .http_status_as_error(false)
                .allow_non_standard_methods(true)
                .build();
            let answer = ureq::Agent::from(config).run(request).unwrap();
            let header = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| {
                (name.to_string(), value.to_str().unwrap().to_owned())
            };
            let headers: Vec<_> = answer.headers().iter().map(header).collect();
            let kind = headers.iter().find(|(name, _)| name == "content-type");
            Answer {
                status: answer.status().as_u16(),
                kind: kind.map_or_else(String::new, |(_, kind)| kind.clone()),
                headers,
                text: answer.into_body().read_to_string().unwrap(),
            }
        })
        .await
        .unwrap()
    }
}

/// One trade in JSON: an id, a time and a price.
pub(crate) fn trade(id: u64, time: &str, price: &str) -> String {
    let side = if id.is_multiple_of(2) { "buy" } else { "sell" };
    format!(
        r#"{{"venue":"v","symbol":"A/B","id":{id},"time":"{time}","price":{price},"quantity":"0.5","side":"{side}"}}"#
    )
}

/// Some trades as a JSON array.
pub(crate) fn array(trades: &[String]) -> String {
    format!("[{}]", trades.join(","))
}
