//! A master that goes away while prices are offered.

use std::time::{Duration, Instant};

use candlewick_store::HotStore;
use deadpool_redis::redis::Client;
use deadpool_redis::redis::aio::MultiplexedConnection;

use crate::fixtures::{open, price, run, soon, symbol, url};

fn now() -> Instant {
    Instant::now()
}

/// Has the Sentinels promote the replica while prices are offered and read; the newest is there
/// again soon, from the new master. The old master comes back as a replica, which refuses
/// writes: connections to it have to be given up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prices_come_back_after_a_failover() {
    let address = url("CANDLEWICK_REDIS_SENTINEL");
    let hosts = address.trim_start_matches("redis+sentinel://");
    let (sentinel, name) = hosts.split_once('/').unwrap();
    let sentinel = sentinel.split(',').next().unwrap();
    let client = Client::open(format!("redis://{sentinel}")).unwrap();
    let mut sentinel = client.get_multiplexed_async_connection().await.unwrap();
    let store = open("CANDLEWICK_REDIS_SENTINEL");
    let instrument = symbol();
    let mut number = 0;
    let mut offer = || {
        number += 1;
        let newest = price(&instrument, (1, number), &number.to_string());
        store.queue_prices(vec![newest.clone()]);
        newest
    };
    let first = offer();
    soon(&store, &first).await;
    let before = master(&mut sentinel, name).await;
    run::<()>(&mut sentinel, &["SENTINEL", "FAILOVER", name]).await;
    let started = now();
    let mut is_over = false;
    loop {
        let newest = offer();
        tokio::time::sleep(Duration::from_millis(150)).await;
        is_over |= master(&mut sentinel, name).await != before;
        let read = store.newest_price(&instrument).await;
        if is_over && read.is_ok_and(|read| read == Some(newest)) {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "no failover");
    }
    println!("the newest price was read after {:?}", started.elapsed());
}

async fn master(sentinel: &mut MultiplexedConnection, name: &str) -> (String, u16) {
    run(sentinel, &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", name]).await
}
