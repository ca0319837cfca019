//! Tests of the hot store, on every kind of Redis and in memory.
//!
//! The servers are at `CANDLEWICK_REDIS`, `CANDLEWICK_REDIS_SENTINEL` and
//! `CANDLEWICK_REDIS_CLUSTER`. Each test uses symbols of its own.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "the helpers of tests are tests too, and wait for real servers in real time"
)]

mod failover;
mod fixtures;
mod password;
mod unavailable;

use candlewick_store::{MemoryNewestPriceStore, NewestPriceStore};
use futures_util::{StreamExt, stream};

use crate::fixtures::{open_store, price, unique_instrument, wait_for_price};

/// The newest price of each instrument is kept, in any order of queueing.
async fn keeps_the_newest(store: &impl NewestPriceStore) {
    let (one, other) = (unique_instrument(), unique_instrument());
    assert_eq!(store.newest_price(&one).await.unwrap(), None);
    store.queue_prices(Vec::new());
    let newest = price(&one, (2, 1), "-0.000000000000000001");
    store.queue_prices(vec![price(&one, (1, u64::MAX), "1"), newest.clone()]);
    let last = price(&other, (u64::MAX, u64::MAX), "999999999999999999");
    store.queue_prices(vec![last.clone()]);
    wait_for_price(store, &newest).await;
    wait_for_price(store, &last).await;
    // Older prices arrive late, as from a former owner of the partition.
    store.queue_prices(vec![price(&one, (2, 0), "7"), price(&other, (0, 0), "7")]);
    let marker = price(&unique_instrument(), (0, 0), "3");
    store.queue_prices(vec![marker.clone()]);
    wait_for_price(store, &marker).await;
    assert_eq!(store.newest_price(&one).await.unwrap(), Some(newest));
    assert_eq!(store.newest_price(&other).await.unwrap(), Some(last));
}

/// Many prices are stored at once: more than one pipeline holds, on every node of a Cluster.
async fn stores_many_at_once(store: &impl NewestPriceStore) {
    let prices: Vec<_> = (0..3_000_u64)
        .map(|number| price(&unique_instrument(), (1, number), &format!("{number}.5")))
        .collect();
    store.queue_prices(prices.clone());
    // They are read concurrently: one after the other, the last would expire before it is read.
    stream::iter(&prices)
        .for_each_concurrent(64, |price| wait_for_price(store, price))
        .await;
}

macro_rules! contract {
    ($name:ident, $open:expr) => {
        mod $name {
            use super::*;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn keeps_the_newest() {
                super::keeps_the_newest(&$open).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn stores_many_at_once() {
                super::stores_many_at_once(&$open).await;
            }
        }
    };
}

contract!(memory, MemoryNewestPriceStore::default());
contract!(single, open_store("CANDLEWICK_REDIS"));
contract!(sentinel, open_store("CANDLEWICK_REDIS_SENTINEL"));
contract!(cluster, open_store("CANDLEWICK_REDIS_CLUSTER"));
