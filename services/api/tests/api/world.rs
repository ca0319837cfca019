//! All roles over a folder of their own, and a client of the API.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aggregator::{IdMemoryBudget, PartitionWorker, WorkerConfig, WorkerStores, WorkerTopics};
use archiver::{Archiver, BlockPolicy};
use backend::Backend;
use candlewick_api::{ApiParts, ApiState, BarUpdatesFollower, Hub, HubLimits, router, serve};
use clock::{Clock, SystemClock};
use eventlog::{EmbeddedLog, EmbeddedOptions, Log, MemoryLog, RetentionLimits};
use host::Health;
use ingest::{IngestProducer, KnownSettings};
use serde_json::Value;
use sqlx::ConnectOptions as _;
use store::{BarReader, MemoryNewestPriceStore, SqliteBarStore, SqliteTickStore, TickStore};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::{JoinSet, spawn_blocking};
use tokio_util::sync::{CancellationToken, DropGuard};

pub(crate) const PARTITIONS: u32 = 4;
/// The append time of every record: 2026-01-01T00:00:00Z.
const APPEND_NS: i64 = 1_767_225_600_000_000_000;
const RING_BYTES: usize = 4 * 1024 * 1024;

/// The clock of the log, which stands still: by the machine's clock, what was appended then would
/// be too old to be refolded.
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

/// What the API runs over: the log and the stores of a folder, and the machine's clock.
struct ApiBackend;

impl Backend for ApiBackend {
    type Trades = EmbeddedLog;
    type Updates = MemoryLog;
    type DeadLetters = MemoryLog;
    type Bars = SqliteBarStore;
    type Ticks = SqliteTickStore;
    type Hot = MemoryNewestPriceStore;
    type Clock = SystemClock;
}

/// What the aggregator runs over: the same, with the clock of the log.
struct WorkerBackend;

impl Backend for WorkerBackend {
    type Trades = EmbeddedLog;
    type Updates = MemoryLog;
    type DeadLetters = MemoryLog;
    type Bars = SqliteBarStore;
    type Ticks = SqliteTickStore;
    type Hot = MemoryNewestPriceStore;
    type Clock = LogClock;
}

/// All roles over one folder. Nothing depends on the time of day, so responses can be compared.
pub(crate) struct World {
    address: SocketAddr,
    trades: EmbeddedLog,
    bars: SqliteBarStore,
    ticks: SqliteTickStore,
    hot: MemoryNewestPriceStore,
    hub: Hub,
    _tasks: JoinSet<()>,
    stop: CancellationToken,
    _stop: DropGuard,
    folder: TempDir,
}

/// A response of the API.
#[derive(Debug)]
pub(crate) struct HttpResponse {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) text: String,
}

impl HttpResponse {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| {
            panic!("{error} in the response {} {}", self.status, self.text);
        })
    }

    /// Returns the response as text for a snapshot, with `N` in place of each offset: copies of
    /// settings may lie before or between the trades.
    pub(crate) fn snapshot_text(&self) -> String {
        let mut body = self.json();
        hide_offsets(&mut body);
        let body = serde_json::to_string_pretty(&body).unwrap();
        format!("{} {}\n{body}", self.status, self.content_type)
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

    /// Starts all roles. Without `has_prices` the API reads an empty hot store.
    pub(crate) async fn start_with(has_prices: bool) -> Self {
        let folder = TempDir::new().unwrap();
        let options = EmbeddedOptions {
            topic: "trades".to_owned(),
            partitions: PARTITIONS,
            retention: RetentionLimits::FOREVER,
            max_pending_bytes: 64 * 1024 * 1024,
        };
        let trades = EmbeddedLog::open(folder.path().join("trades"), options, LogClock).unwrap();
        let bars = SqliteBarStore::open(folder.path().join("bars"))
            .await
            .unwrap();
        let ticks = SqliteTickStore::open(folder.path().join("ticks"))
            .await
            .unwrap();
        let updates = MemoryLog::new(PARTITIONS, 1, RING_BYTES, LogClock);
        let stop = CancellationToken::new();
        let hub = Hub::new(1, PARTITIONS, HubLimits::default());
        let health = Health::default();
        let mut world = Self {
            address: ([127, 0, 0, 1], 0).into(),
            trades,
            bars,
            ticks,
            hot: MemoryNewestPriceStore::default(),
            hub: hub.clone(),
            _tasks: JoinSet::new(),
            stop: stop.clone(),
            _stop: stop.clone().drop_guard(),
            folder,
        };
        let producer = Arc::new(IngestProducer::new(
            world.trades.clone(),
            world.bars.clone(),
            SystemClock,
        ));
        let settings = producer.known_settings();
        for partition in 0..PARTITIONS {
            world.start_partition(partition, &updates, &hub, &settings, &health, &stop);
        }
        let listener = TcpListener::bind(world.address).await.unwrap();
        world.address = listener.local_addr().unwrap();
        let state: ApiState<ApiBackend> = ApiState::new(ApiParts {
            log: world.trades.clone(),
            log_id: "0123456789abcdef0123456789abcdef".to_owned(),
            bars: world.bars.clone(),
            ticks: world.ticks.clone(),
            hot: match has_prices {
                true => world.hot.clone(),
                false => MemoryNewestPriceStore::default(),
            },
            clock: SystemClock,
            producer,
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
        settings: &KnownSettings,
        health: &Health,
        stop: &CancellationToken,
    ) {
        let worker: PartitionWorker<WorkerBackend> = PartitionWorker {
            partition,
            topics: WorkerTopics {
                trades: self.trades.clone(),
                updates: updates.clone(),
                dead_letters: MemoryLog::new(PARTITIONS, 1, RING_BYTES, LogClock),
            },
            stores: WorkerStores {
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
            id_memory: IdMemoryBudget::default(),
            metrics: aggregator::WorkerMetrics::new(partition),
            health: health.register(&format!("aggregator-{partition}")),
        };
        let archiver: Archiver<ApiBackend> = Archiver {
            partition,
            trades: self.trades.clone(),
            ticks: self.ticks.clone(),
            clock: SystemClock,
            policy: BlockPolicy {
                max_delay: Duration::from_millis(5),
                ..BlockPolicy::default()
            },
            metrics: archiver::ArchiverMetrics::new(partition),
            health: health.register(&format!("archiver-{partition}")),
        };
        let follower: BarUpdatesFollower<ApiBackend> = BarUpdatesFollower {
            partition,
            updates: updates.clone(),
            bars: self.bars.clone(),
            clock: SystemClock,
            hub: hub.clone(),
            settings: settings.clone(),
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

    pub(crate) fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops the roles and the API without waiting.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits until the live stream has as many subscriptions as `expected`.
    pub(crate) async fn wait_for_subscriptions(&self, expected: usize) {
        for _ in 0..2_000 {
            if self.hub.subscription_count() == expected {
                return;
            }
            SystemClock.sleep(Duration::from_millis(5)).await;
        }
        let found = self.hub.subscription_count();
        panic!("{found} subscriptions, not {expected}, after ten seconds");
    }

    /// Executes a statement on the database of bars.
    pub(crate) async fn execute_on_bars(&self, statement: &'static str) {
        let path = self.folder.path().join("bars");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
        let mut connection = options.connect().await.unwrap();
        let query = sqlx::query(statement);
        query.execute(&mut connection).await.unwrap();
    }

    /// Deletes every tick, as if all had expired.
    pub(crate) async fn delete_ticks(&self) {
        while self
            .ticks
            .delete_expired_block_batch(i64::MAX, i64::MAX)
            .await
            .unwrap()
            > 0
        {}
    }

    /// Waits until everything in the log is folded and archived.
    pub(crate) async fn wait_until_folded(&self) {
        loop {
            let progress = self.bars.all_partition_progress().await.unwrap();
            let mut is_folded = progress.len() == PARTITIONS as usize;
            for row in progress {
                let end = self.trades.bounds(row.partition).await.unwrap().end;
                let archived = self
                    .ticks
                    .next_archive_position(row.partition)
                    .await
                    .unwrap();
                let archived = archived.map_or(0, |position| position.offset);
                is_folded &= row.next_offset == end && archived == end;
            }
            if is_folded {
                return;
            }
            SystemClock.sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until, in addition, every marked minute is refolded.
    pub(crate) async fn wait_until_refolded(&self) {
        loop {
            self.wait_until_folded().await;
            let mut marks = 0;
            for partition in 0..PARTITIONS {
                marks += self.bars.dirty_minutes(partition).await.unwrap().len();
            }
            if marks == 0 {
                return;
            }
            SystemClock.sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) async fn delete(&self, path: &str) -> HttpResponse {
        self.send("DELETE", path, &[], Vec::new()).await
    }

    pub(crate) async fn get(&self, path: &str) -> HttpResponse {
        self.send("GET", path, &[], Vec::new()).await
    }

    pub(crate) async fn put(&self, path: &str, body: &str) -> HttpResponse {
        self.send("PUT", path, &[], body.into()).await
    }

    /// Sends trades of a content type and waits until they are folded.
    pub(crate) async fn post(
        &self,
        content_type: &'static str,
        body: impl Into<Vec<u8>>,
    ) -> HttpResponse {
        let headers = [("Content-Type", content_type)];
        let response = self
            .send("POST", "/api/v1/trades", &headers, body.into())
            .await;
        self.wait_until_folded().await;
        response
    }

    pub(crate) async fn send(
        &self,
        method: &'static str,
        path: &str,
        headers: &[(&'static str, &'static str)],
        body: Vec<u8>,
    ) -> HttpResponse {
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
            let response = ureq::Agent::from(config).run(request).unwrap();
            let header = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| {
                (name.to_string(), value.to_str().unwrap().to_owned())
            };
            let headers: Vec<_> = response.headers().iter().map(header).collect();
            let content_type = headers.iter().find(|(name, _)| name == "content-type");
            HttpResponse {
                status: response.status().as_u16(),
                content_type: content_type.map_or_else(String::new, |(_, value)| value.clone()),
                headers,
                text: response.into_body().read_to_string().unwrap(),
            }
        })
        .await
        .unwrap()
    }
}

fn hide_offsets(value: &mut Value) {
    match value {
        Value::Array(elements) => elements.iter_mut().for_each(hide_offsets),
        Value::Object(members) => {
            let offset = |name: &str| members.get(name).and_then(Value::as_u64);
            if let (Some(first), Some(end)) = (offset("first_offset"), offset("end_offset")) {
                members["first_offset"] = "N".into();
                members["end_offset"] = format!("N+{}", end - first).into();
            }
            if let Some(offset) = members.get_mut("offset") {
                *offset = "N".into();
            }
            for (name, member) in members.iter_mut() {
                match member.as_str().and_then(|text| text.rsplit_once('-')) {
                    Some((partition, _)) if ["position", "complete_to"].contains(&&**name) => {
                        *member = format!("{partition}-N").into();
                    }
                    _ => hide_offsets(member),
                }
            }
        }
        _ => {}
    }
}

/// Returns one trade in JSON with an id, a time and a price.
pub(crate) fn trade_json(id: u64, time: &str, price: &str) -> String {
    let side = if id.is_multiple_of(2) { "buy" } else { "sell" };
    format!(
        r#"{{"venue":"v","symbol":"A/B","id":{id},"time":"{time}","price":{price},"quantity":"0.5","side":"{side}"}}"#
    )
}

/// Returns trades as a JSON array.
pub(crate) fn json_array(trades: &[String]) -> String {
    format!("[{}]", trades.join(","))
}
