//! Prices and stores for the tests.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use candlewick_store::{NewestPrice, NewestPriceStore, RedisConfig, RedisNewestPriceStore};
use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{Cmd, FromRedisValue};
use market::{Instrument, Position};

/// Returns the address that an environment variable holds.
pub(crate) fn server_url(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!(
            "this test needs Redis: scripts/stack/redis.sh starts one server, a set with Sentinels \
             or a Cluster, and prints its address; set {variable} to it"
        )
    })
}

/// Opens a store for the address that an environment variable holds.
pub(crate) fn open_store(variable: &str) -> RedisNewestPriceStore {
    RedisNewestPriceStore::open(&RedisConfig {
        url: server_url(variable),
        // Tests share two cores with the server.
        timeout: Duration::from_secs(2),
        ..RedisConfig::default()
    })
    .unwrap()
}

/// Returns an instrument that no other test uses.
pub(crate) fn unique_instrument() -> Instrument {
    static NEXT_NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NEXT_NUMBER.fetch_add(1, Ordering::Relaxed);
    let text = format!("test:T{}-{number}", std::process::id());
    text.parse().unwrap()
}

pub(crate) fn price(instrument: &Instrument, through: (u64, u64), price: &str) -> NewestPrice {
    NewestPrice {
        instrument: instrument.clone(),
        price: Some(price.parse().unwrap()),
        time_ns: i64::MIN,
        through: Position {
            epoch: through.0,
            offset: through.1,
        },
    }
}

/// Waits until the store returns a price; fails after two seconds.
pub(crate) async fn wait_for_price(store: &impl NewestPriceStore, expected: &NewestPrice) {
    let mut found = None;
    for _ in 0..200 {
        found = store.newest_price(&expected.instrument).await.unwrap();
        if found.as_ref() == Some(expected) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{expected:?} is expected, {found:?} was found");
}

/// Runs a command without going through the store.
pub(crate) async fn run_command<T: FromRedisValue>(
    redis: &mut MultiplexedConnection,
    words: &[&str],
) -> T {
    let mut command = Cmd::new();
    command.arg(words);
    command.query_async(redis).await.unwrap()
}
