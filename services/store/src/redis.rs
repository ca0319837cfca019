//! Newest prices in Redis, which every process of a cluster can read.

mod address;
mod failed_write;
mod pending;
mod pool;
mod value;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clock::{Clock, SystemClock};
use deadpool_redis::redis::{Cmd, FromRedisValue, cmd};
use market::Instrument;
use tokio::task::JoinHandle;

use self::address::RedisAddress;
use self::failed_write::FailedWriteKey;
use self::pending::PendingPrices;
use self::pool::{FailedWrite, RedisCredentials, RedisPool, ScriptCall};
use crate::metrics::StoreMetrics;
use crate::password::read_password;
use crate::{NewestPrice, NewestPriceStore, StoreError};

/// The address of Redis, with its credentials and timeout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisConfig {
    /// The address: `redis://host:port/db`, `redis+sentinel://host:port,host:port/name/db` or
    /// `redis+cluster://host:port,host:port`; with `rediss` the connection uses TLS. It contains
    /// neither user nor password.
    pub url: String,
    /// The name of the user; `None` for `default`.
    pub user: Option<String>,
    /// A file that contains the password; `None` if no password is required.
    pub password_file: Option<PathBuf>,
    /// A file that contains the password of the Sentinels themselves.
    pub sentinel_password_file: Option<PathBuf>,
    /// How long a response may take.
    pub timeout: Duration,
}

impl Default for RedisConfig {
    /// Returns `redis://127.0.0.1:6379` without a password, and a timeout of 250 ms.
    fn default() -> Self {
        Self {
            url: "redis://127.0.0.1:6379".to_owned(),
            user: None,
            password_file: None,
            sentinel_password_file: None,
            timeout: Duration::from_millis(250),
        }
    }
}

/// How long the writer waits after a write before it begins the next.
const WRITE_INTERVAL: Duration = Duration::from_millis(50);

/// The greatest number of prices in one write.
const MAX_BATCH: usize = 1_000;

/// Stores a price for 5 s, unless a newer one is stored. Values begin with their position, as text
/// of fixed length.
const SET_IF_NEWER: &str = "\
local stored = redis.call('GET', KEYS[1])
if stored and string.sub(stored, 1, 32) > string.sub(ARGV[1], 1, 32) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', 5000)
return 1";

/// Newest prices in Redis: one server, the master that Sentinels name, or a Cluster.
///
/// A price expires after 5 s unless a newer one is queued. A task of the store writes queued
/// prices, the newest of each instrument, about 50 ms later at most. If Redis is unavailable or
/// slow, prices are dropped and counted. The task ends when the last handle is dropped; prices that
/// it has not written then are lost.
#[derive(Clone)]
pub struct RedisNewestPriceStore {
    shared: Arc<SharedRedisState>,
    _writer: Arc<AbortOnDropTask>,
}

/// What the handles share with the task that writes.
struct SharedRedisState {
    pool: RedisPool,
    label: String,
    pending: PendingPrices,
    failed_write: FailedWriteKey,
    timeout: Duration,
    metrics: StoreMetrics,
}

/// The task that writes. Dropping this aborts it.
struct AbortOnDropTask(JoinHandle<()>);

impl Drop for AbortOnDropTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl RedisNewestPriceStore {
    /// Starts the task that writes; must be called within a tokio runtime. The store connects when
    /// it is first used, so Redis may be unavailable now.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the URL is invalid or a password cannot be read.
    pub fn open(config: &RedisConfig) -> Result<Self, StoreError> {
        // Errors leave out the URL until it is known to contain no password.
        let invalid_config = |store: &str, reason: String| StoreError::Unavailable {
            store: store.to_owned(),
            reason,
        };
        let address = RedisAddress::parse(&config.url)
            .map_err(|reason| invalid_config("Redis", reason.to_owned()))?;
        if address.uses_tls {
            // Only the first call in a process has an effect, and no other provider is built in.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let read_file = |path: &Option<PathBuf>| path.as_deref().map(read_password).transpose();
        let credentials = RedisCredentials {
            user: config.user.clone(),
            password: read_file(&config.password_file)?,
            sentinel_password: read_file(&config.sentinel_password_file)?,
        };
        let label = format!("Redis at {}", config.url);
        let pool = RedisPool::new(&address, &credentials, config.timeout)
            .map_err(|reason| invalid_config(&label, reason))?;
        let shared = Arc::new(SharedRedisState {
            pool,
            label,
            pending: PendingPrices::default(),
            failed_write: FailedWriteKey::default(),
            timeout: config.timeout,
            metrics: StoreMetrics::register_metrics("redis"),
        });
        let writer = tokio::spawn(run_pending_price_writer(Arc::clone(&shared)));
        Ok(Self {
            shared,
            _writer: Arc::new(AbortOnDropTask(writer)),
        })
    }

    /// Checks whether Redis responds. Queueing prices does not report errors, so this does.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if Redis does not respond in time.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.shared.run_command::<()>(&cmd("PING")).await
    }

    /// Returns why prices are not written, if a write has failed and a test write to the same node
    /// fails too. A server that responds may take no writes: it is out of memory, or a replica.
    pub async fn recheck_write_failure(&self) -> Option<String> {
        let failed_key = self.shared.failed_write.get()?;
        let mut test_write = cmd("SET");
        test_write.arg(value::test_write_key(&failed_key)).arg("");
        match self
            .shared
            .run_command::<()>(test_write.arg("PX").arg(1))
            .await
        {
            Ok(()) => {
                self.shared.failed_write.clear(&failed_key);
                None
            }
            Err(error) => Some(format!("the newest prices are not written: {error}")),
        }
    }
}

impl SharedRedisState {
    /// Runs a command, and waits for its response at most for the timeout.
    async fn run_command<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        let response = self.pool.run_command(command);
        let response = clock::timeout(&SystemClock, self.timeout, Box::pin(response)).await;
        let response = response.unwrap_or_else(|_| Err("no answer in time".to_owned()));
        response.map_err(|reason| {
            self.metrics.errors.increment(1);
            StoreError::Unavailable {
                store: self.label.clone(),
                reason,
            }
        })
    }
}

impl NewestPriceStore for RedisNewestPriceStore {
    fn queue_prices(&self, prices: Vec<NewestPrice>) {
        let dropped = self.shared.pending.add_and_count_dropped(prices);
        self.shared.metrics.dropped.increment(dropped);
    }

    async fn newest_price(
        &self,
        instrument: &Instrument,
    ) -> Result<Option<NewestPrice>, StoreError> {
        let shared = &self.shared;
        let mut get = cmd("GET");
        get.arg(value::price_key(instrument));
        let Some(text) = shared.run_command::<Option<String>>(&get).await? else {
            return Ok(None);
        };
        let Some(price) = value::decode_price(instrument, &text) else {
            shared.metrics.errors.increment(1);
            return Err(StoreError::Corrupt {
                store: shared.label.clone(),
                reason: format!(
                    "the value of {} is not a price",
                    value::price_key(instrument)
                ),
            });
        };
        Ok(Some(price))
    }
}

/// Writes queued prices until the task is aborted.
async fn run_pending_price_writer(shared: Arc<SharedRedisState>) {
    loop {
        let prices = shared.pending.wait_and_take_all().await;
        for batch in prices.chunks(MAX_BATCH) {
            write_price_batch(&shared, batch).await;
        }
        SystemClock.sleep(WRITE_INTERVAL).await;
    }
}

/// Writes some prices. Prices that cannot be written are dropped, because newer ones will follow.
async fn write_price_batch(shared: &SharedRedisState, prices: &[NewestPrice]) {
    let calls: Vec<_> = prices
        .iter()
        .map(|price| ScriptCall {
            key: value::price_key(&price.instrument),
            argument: value::encode_price(price),
        })
        .collect();
    let count = calls.len();
    let first_key = prices
        .first()
        .map(|price| value::price_key(&price.instrument));
    let run = Box::pin(
        shared
            .pool
            .run_script_and_count_failures(SET_IF_NEWER, calls),
    );
    let (failed, failed_write) = match clock::timeout(&SystemClock, shared.timeout, run).await {
        Ok(outcome) => outcome,
        Err(_) => (count, first_key.map(|key| FailedWrite { key })),
    };
    if let Some(FailedWrite { key }) = failed_write {
        shared.failed_write.record_if_none(key);
    }
    if failed > 0 {
        shared.metrics.errors.increment(1);
        shared.metrics.dropped.increment(failed as u64);
    }
    shared.metrics.count_rows("prices", count - failed);
}
