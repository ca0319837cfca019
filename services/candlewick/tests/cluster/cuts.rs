//! Processes that are cut off for a while.

use std::time::Duration;

use rustix::process::Signal;

use crate::bars::{SYMBOLS, send, wait_counted};
use crate::cluster::{PARTITIONS, TestCluster, unready_reason, wait_ready};
use crate::cuttable_proxy::CuttableProxy;
use crate::groups::owned_partitions;
use crate::support::{eventually, pause, until};

#[test]
fn an_aggregator_that_is_cut_off_from_its_store_stays_live_and_says_so_and_catches_up() {
    let cluster = TestCluster::new("cut");
    let proxy = CuttableProxy::start(cluster.bars_server());
    let bars = cluster.bars_url_at(proxy.address());
    let options = [
        "--timescaledb-url",
        &bars,
        "--breaker-failures",
        "3",
        "--breaker-open-for",
        "1s",
    ];
    let aggregator = cluster.start("aggregator", &options);
    let archiver = cluster.start_ready("archiver");
    let api = cluster.start_ready("api");
    wait_ready(&aggregator);
    let client = api.client();
    send(&client, 1..11);
    wait_counted(&client, 10);

    proxy.cut();
    // Loaded symbols are folded and announced without the store.
    send(&client, 11..31);
    wait_counted(&client, 30);
    let output = until("the breaker to open", || {
        unready_reason(&aggregator, "timescaledb")
            .filter(|output| output.contains("circuit breaker"))
    });
    println!("cut off: {output}");
    let metrics = aggregator.client().metrics();
    assert!(
        metrics["candlewick_breaker_trips_total"] >= 1.0,
        "{metrics:?}"
    );
    assert_eq!(aggregator.client().get("/healthz").status, 200, "it lives");

    proxy.mend();
    wait_ready(&aggregator);
    assert_eq!(
        aggregator.client().metrics()["candlewick_breaker_state"].to_string(),
        "0"
    );
    send(&client, 31..41);
    wait_counted(&client, 40);
    cluster.verify(40 * SYMBOLS.len() as u64);
    for process in [aggregator, archiver, api] {
        process.terminate().success();
    }
}

#[test]
fn one_that_is_frozen_and_thaws_has_lost_its_partitions_and_harms_nothing() {
    let cluster = TestCluster::new("frozen");
    let (first, second) = (
        cluster.start_ready("aggregator"),
        cluster.start_ready("aggregator"),
    );
    let archiver = cluster.start_ready("archiver");
    let api = cluster.start_ready("api");
    let client = api.client();
    eventually("partitions of each", &[PARTITIONS / 2; 2], || {
        [&first, &second].map(owned_partitions)
    });
    send(&client, 1..21);
    first.send_signal(Signal::STOP);
    send(&client, 21..41);
    // The other owns all partitions once the session of the frozen process has expired.
    wait_counted(&client, 40);
    eventually("partitions of the other", &PARTITIONS, || {
        owned_partitions(&second)
    });
    first.send_signal(Signal::CONT);
    send(&client, 41..61);
    wait_counted(&client, 60);
    wait_ready(&first);
    wait_ready(&second);
    eventually("partitions of both", &PARTITIONS, || {
        owned_partitions(&first) + owned_partitions(&second)
    });
    pause(Duration::from_secs(1));
    cluster.verify(60 * SYMBOLS.len() as u64);
    for process in [first, second, archiver, api] {
        process.terminate().success();
    }
}

#[test]
fn a_redis_that_is_cut_off_is_named_and_everything_goes_on() {
    let cluster = TestCluster::new("hot");
    let proxy = CuttableProxy::start(cluster.redis_server());
    let redis = format!("redis://{}", proxy.address());
    let aggregator = cluster.start("aggregator", &["--redis-url", &redis]);
    wait_ready(&aggregator);
    eventually("the reason", &None, || unready_reason(&aggregator, "redis"));
    proxy.cut();
    let output = until("a reason", || unready_reason(&aggregator, "redis"));
    println!("cut off: {output}");
    assert!(output.contains(&redis), "{output}");
    assert_eq!(aggregator.client().get("/readyz").status, 200);
    proxy.mend();
    eventually("the reason", &None, || unready_reason(&aggregator, "redis"));
    aggregator.terminate().success();
}
