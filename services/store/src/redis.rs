//! Newest prices in Redis, where all pods see them.

mod address;
mod pending;
mod pool;
mod value;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use deadpool_redis::redis::{Cmd, FromRedisValue, cmd};
use market::Instrument;
use tokio::task::JoinHandle;

use self::address::Address;
use self::pending::Pending;
use self::pool::{Call, Credentials, Pool};
use crate::deadline::{pause, within};
use crate::metrics::Metrics;
use crate::password::password;
use crate::{HotStore, NewestPrice, StoreError};

/// How a Redis is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisConfig {
    /// Where it is: `redis://host:port/db`, `redis+sentinel://host:port,host:port/name/db` or
    /// `redis+cluster://host:port,host:port`; with `rediss` it is TLS. Without user and
    /// password.
    pub url: String,
    /// The user; none for `default`.
    pub user: Option<String>,
    /// A file that holds the password; none where none is asked for.
    pub password_file: Option<PathBuf>,
    /// A file that holds the password of the Sentinels themselves.
    pub sentinel_password_file: Option<PathBuf>,
    /// How long an answer may take.
    pub timeout: Duration,
}

impl Default for RedisConfig {
    /// `redis://127.0.0.1:6379`, without a password; 250 ms.
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

/// The time from the end of one write to the next.
const PACE: Duration = Duration::from_millis(50);

/// How many prices go at once.
const BATCH: usize = 1_000;

/// Writes a price, for 5 s, unless a newer one is there. Values begin with their position, as
/// text of one length.
const PUT: &str = "\
local known = redis.call('GET', KEYS[1])
if known and string.sub(known, 1, 32) > string.sub(ARGV[1], 1, 32) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', 5000)
return 1";

/// Newest prices in Redis: one server, the master that Sentinels name, or a Cluster.
///
/// A price that is not offered again is gone 5 s later. What is offered is kept until a task of
/// the store's own has written it, the newest of each instrument, some 50 ms later at most;
/// where Redis is away or slow, prices are dropped and counted. The task ends with the last
/// handle, and what it has not written then is lost.
#[derive(Clone)]
pub struct RedisHotStore {
    shared: Arc<Shared>,
    _writer: Arc<Writer>,
}

/// What handles and the writer have in common.
struct Shared {
    pool: Pool,
    name: String,
    pending: Pending,
    timeout: Duration,
    metrics: Metrics,
}

/// The task that writes; it ends when this is dropped.
struct Writer(JoinHandle<()>);

impl Drop for Writer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl RedisHotStore {
    /// Starts the store, within a tokio runtime. It connects when there is something to do:
    /// Redis may be away then and now.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], where the URL is none, or a password cannot be read.
    pub fn open(config: &RedisConfig) -> Result<Self, StoreError> {
        // The URL is left out of errors until it is known to hold no password.
        let unusable = |store: &str, reason: String| StoreError::Unavailable {
            store: store.to_owned(),
            reason,
        };
        let address =
            Address::parse(&config.url).map_err(|reason| unusable("Redis", reason.to_owned()))?;
        if address.tls {
            // Only the first call of a process has an effect, and no other provider is built in.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let read = |path: &Option<PathBuf>| path.as_deref().map(password).transpose();
        let credentials = Credentials {
            user: config.user.clone(),
            password: read(&config.password_file)?,
            sentinel_password: read(&config.sentinel_password_file)?,
        };
        let name = format!("Redis at {}", config.url);
        let pool = Pool::new(&address, &credentials, config.timeout)
            .map_err(|reason| unusable(&name, reason))?;
        let shared = Arc::new(Shared {
            pool,
            name,
            pending: Pending::default(),
            timeout: config.timeout,
            metrics: Metrics::new("redis"),
        });
        let writer = tokio::spawn(write(Arc::clone(&shared)));
        Ok(Self {
            shared,
            _writer: Arc::new(Writer(writer)),
        })
    }

    /// Asks whether it is there: what is offered is dropped in silence while it is not.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], where it does not answer in time.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.shared.ask::<()>(&cmd("PING")).await
    }
}

impl Shared {
    /// Asks something, for as long as an answer may take.
    async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        let answer = within(self.timeout, Box::pin(self.pool.ask(command))).await;
        let answer = answer.unwrap_or_else(|| Err("no answer in time".to_owned()));
        answer.map_err(|reason| {
            self.metrics.errors.increment(1);
            StoreError::Unavailable {
                store: self.name.clone(),
                reason,
            }
        })
    }
}

impl HotStore for RedisHotStore {
    fn queue_prices(&self, prices: Vec<NewestPrice>) {
        let dropped = self.shared.pending.offer(prices);
        self.shared.metrics.dropped.increment(dropped);
    }

    async fn newest_price(
        &self,
        instrument: &Instrument,
    ) -> Result<Option<NewestPrice>, StoreError> {
        let shared = &self.shared;
        let mut get = cmd("GET");
        get.arg(value::key(instrument));
        let Some(text) = shared.ask::<Option<String>>(&get).await? else {
            return Ok(None);
        };
        let Some(price) = value::decode(instrument, &text) else {
            shared.metrics.errors.increment(1);
            return Err(StoreError::Corrupt {
                store: shared.name.clone(),
                reason: format!("what {} holds is no price", value::key(instrument)),
            });
        };
        Ok(Some(price))
    }
}

/// Writes what is offered, until it is aborted.
async fn write(shared: Arc<Shared>) {
    loop {
        let prices = shared.pending.take().await;
        for batch in prices.chunks(BATCH) {
            put(&shared, batch).await;
        }
        pause(PACE).await;
    }
}

/// Writes some prices, or drops them: newer ones will come.
async fn put(shared: &Shared, prices: &[NewestPrice]) {
    let calls: Vec<_> = prices
        .iter()
        .map(|price| Call {
            key: value::key(&price.instrument),
            argument: value::encode(price),
        })
        .collect();
    let offered = calls.len();
    let ran = within(shared.timeout, Box::pin(shared.pool.run(PUT, calls))).await;
    let failed = match ran {
        Some((failed, _)) => failed,
        None => offered,
    };
    if failed > 0 {
        shared.metrics.errors.increment(1);
        shared.metrics.dropped.increment(failed as u64);
    }
    shared.metrics.rows("prices", offered - failed);
}
