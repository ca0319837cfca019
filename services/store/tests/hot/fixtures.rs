//! Prices and stores for the tests.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use candlewick_store::{HotStore, NewestPrice, RedisConfig, RedisHotStore};
use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{Cmd, FromRedisValue};
use market::{Instrument, Position};

/// The address that a variable holds.
pub(crate) fn url(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!(
            "this test needs Redis: scripts/stack/redis.sh starts one server, a set with Sentinels \
             or a Cluster, and prints its address; set {variable} to it"
        )
    })
}

/// A store of what is at the address in a variable.
pub(crate) fn open(variable: &str) -> RedisHotStore {
    RedisHotStore::open(&RedisConfig {
        url: url(variable),
        // Tests share two cores with what they test.
        timeout: Duration::from_secs(2),
        ..RedisConfig::default()
    })
    .unwrap()
}

/// An instrument that no other test has.
pub(crate) fn symbol() -> Instrument {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let text = format!("test:T{}-{number}", std::process::id());
    text.parse().unwrap()
}

pub(crate) fn price(instrument: &Instrument, through: (u64, u64), price: &str) -> NewestPrice {
    NewestPrice {
        instrument: instrument.clone(),
        price: price.parse().unwrap(),
        time_ns: i64::MIN,
        through: Position {
            epoch: through.0,
            offset: through.1,
        },
    }
}

/// Waits until a price is there; it has to be soon.
pub(crate) async fn soon(store: &impl HotStore, expected: &NewestPrice) {
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

/// Runs a command behind the store's back.
pub(crate) async fn run<T: FromRedisValue>(redis: &mut MultiplexedConnection, words: &[&str]) -> T {
    let mut command = Cmd::new();
    command.arg(words);
    command.query_async(redis).await.unwrap()
}
