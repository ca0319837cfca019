//! A test of a failover while prices are queued.

use std::time::{Duration, Instant};

use candlewick_store::NewestPriceStore;
use deadpool_redis::redis::Client;
use deadpool_redis::redis::aio::MultiplexedConnection;

use crate::fixtures::{
    open_store, price, run_command, server_url, unique_instrument, wait_for_price,
};

fn now() -> Instant {
    Instant::now()
}

/// The Sentinels promote the replica while prices are queued and read. Soon the newest price is
/// read from the new master. The old master becomes a replica, which refuses writes, so connections
/// to it have to be closed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prices_come_back_after_a_failover() {
    let address = server_url("CANDLEWICK_REDIS_SENTINEL");
    let hosts = address.trim_start_matches("redis+sentinel://");
    let (sentinel, name) = hosts.split_once('/').unwrap();
    let sentinel = sentinel.split(',').next().unwrap();
    let client = Client::open(format!("redis://{sentinel}")).unwrap();
    let mut sentinel = client.get_multiplexed_async_connection().await.unwrap();
    let store = open_store("CANDLEWICK_REDIS_SENTINEL");
    let instrument = unique_instrument();
    let mut number = 0;
    let mut queue_next = || {
        number += 1;
        let newest = price(&instrument, (1, number), &number.to_string());
        store.queue_prices(vec![newest.clone()]);
        newest
    };
    let first = queue_next();
    wait_for_price(&store, &first).await;
    let before = master_address(&mut sentinel, name).await;
    run_command::<()>(&mut sentinel, &["SENTINEL", "FAILOVER", name]).await;
    let started = now();
    let mut is_over = false;
    loop {
        let newest = queue_next();
        tokio::time::sleep(Duration::from_millis(150)).await;
        is_over |= master_address(&mut sentinel, name).await != before;
        let read = store.newest_price(&instrument).await;
        if is_over && read.is_ok_and(|read| read == Some(newest)) {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "no failover");
    }
    println!("the newest price was read after {:?}", started.elapsed());
}

async fn master_address(sentinel: &mut MultiplexedConnection, name: &str) -> (String, u16) {
    run_command(sentinel, &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", name]).await
}
