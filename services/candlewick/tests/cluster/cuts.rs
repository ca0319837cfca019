//! Processes that are cut off for a while.

use std::time::Duration;

use rustix::process::Signal;

use crate::bars::{SYMBOLS, send, wait_counted};
use crate::cluster::{Cluster, PARTITIONS, reason, wait_ready};
use crate::groups::owned;
use crate::link::Link;
use crate::support::{eventually, pause, until};

#[test]
fn an_aggregator_that_is_cut_off_from_its_store_stays_live_and_says_so_and_catches_up() {
    let cluster = Cluster::new("cut");
    let link = Link::to(cluster.bars_server());
    let bars = cluster.bars_at(link.address());
    let options = [
        "--timescaledb-url",
        &bars,
        "--breaker-failures",
        "3",
        "--breaker-open-for",
        "1s",
    ];
    let aggregator = cluster.start("aggregator", &options);
    let archiver = cluster.ready("archiver");
    let api = cluster.ready("api");
    wait_ready(&aggregator);
    let client = api.client();
    send(&client, 1..11);
    wait_counted(&client, 10);

    link.cut();
    // What is in memory is folded and announced without the store.
    send(&client, 11..31);
    wait_counted(&client, 30);
    let told = until("the breaker to open", || {
        reason(&aggregator, "timescaledb").filter(|told| told.contains("circuit breaker"))
    });
    println!("cut off: {told}");
    let metrics = aggregator.client().metrics();
    assert!(
        metrics["candlewick_breaker_trips_total"] >= 1.0,
        "{metrics:?}"
    );
    assert_eq!(aggregator.client().get("/healthz").status, 200, "it lives");

    link.mend();
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
    let cluster = Cluster::new("frozen");
    let (first, second) = (cluster.ready("aggregator"), cluster.ready("aggregator"));
    let archiver = cluster.ready("archiver");
    let api = cluster.ready("api");
    let client = api.client();
    eventually("partitions of each", &[PARTITIONS / 2; 2], || {
        [&first, &second].map(owned)
    });
    send(&client, 1..21);
    first.signal(Signal::STOP);
    send(&client, 21..41);
    // The other has them all once the session of the frozen one is over.
    wait_counted(&client, 40);
    eventually("partitions of the other", &PARTITIONS, || owned(&second));
    first.signal(Signal::CONT);
    send(&client, 41..61);
    wait_counted(&client, 60);
    wait_ready(&first);
    wait_ready(&second);
    eventually("partitions of both", &PARTITIONS, || {
        owned(&first) + owned(&second)
    });
    pause(Duration::from_secs(1));
    cluster.verify(60 * SYMBOLS.len() as u64);
    for process in [first, second, archiver, api] {
        process.terminate().success();
    }
}

#[test]
fn a_redis_that_is_cut_off_is_named_and_everything_goes_on() {
    let cluster = Cluster::new("hot");
    let link = Link::to(cluster.redis_server());
    let redis = format!("redis://{}", link.address());
    let aggregator = cluster.start("aggregator", &["--redis-url", &redis]);
    wait_ready(&aggregator);
    eventually("the reason", &None, || reason(&aggregator, "redis"));
    link.cut();
    let told = until("a reason", || reason(&aggregator, "redis"));
    println!("cut off: {told}");
    assert!(told.contains(&redis), "{told}");
    assert_eq!(aggregator.client().get("/readyz").status, 200);
    link.mend();
    eventually("the reason", &None, || reason(&aggregator, "redis"));
    aggregator.terminate().success();
}
