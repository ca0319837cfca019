//! Processes that start before what they need.

use crate::bars::{send, wait_counted};
use crate::cluster::{Cluster, reason, wait_ready};
use crate::support::{Finished, candlewick, until};

/// Nobody listens here.
const NOWHERE: &str = "127.0.0.1:9";

#[test]
fn a_process_waits_for_its_servers_says_for_which_and_can_be_stopped() {
    let cluster = Cluster::new("waits");
    let postgres = format!("postgres://me@{NOWHERE}/bars");
    let clickhouse = format!("http://{NOWHERE}");
    for role in ["aggregator", "archiver", "api"] {
        let without_bars = cluster.start(role, &["--timescaledb-url", &postgres]);
        let told = until("a reason", || {
            reason(&without_bars, "timescaledb").filter(|told| told != "starting")
        });
        assert!(told.contains(NOWHERE), "{told}");
        assert_eq!(
            without_bars.client().get("/healthz").status,
            200,
            "it lives"
        );
        without_bars.terminate().success();
    }
    let options = [
        "--clickhouse-url",
        &clickhouse,
        "--clickhouse-database",
        "x",
    ];
    let without_ticks = cluster.start("archiver", &options);
    let told = until("a reason", || {
        reason(&without_ticks, "clickhouse").filter(|told| told != "starting")
    });
    assert!(told.contains(NOWHERE), "{told}");
    without_ticks.terminate().success();
}

#[test]
fn processes_may_start_in_any_order_and_before_tables_and_topics() {
    let cluster = Cluster::empty("order");
    let api = cluster.start("api", &[]);
    let archiver = cluster.start("archiver", &[]);
    let aggregator = cluster.start("aggregator", &[]);
    let told = until("a reason", || {
        reason(&aggregator, "timescaledb").filter(|told| told.contains("migrate"))
    });
    println!("without tables: {told}");
    let answer = api.client().get("/api/v1/symbols");
    assert_eq!(answer.status, 503, "{}", answer.text);
    assert!(answer.text.contains("/readyz"), "{}", answer.text);
    cluster.migrate();
    let told = until("a reason", || {
        reason(&aggregator, "topic-trades").filter(|told| told.contains("topics apply"))
    });
    println!("without topics: {told}");
    cluster.apply_topics();
    for process in [&aggregator, &archiver, &api] {
        wait_ready(process);
    }
    let client = api.client();
    send(&client, 1..11);
    wait_counted(&client, 10);
    for process in [api, archiver, aggregator] {
        process.terminate().success();
    }
}

#[test]
fn a_pod_waits_until_an_aggregator_has_taken_up_the_topics() {
    let cluster = Cluster::new("adopted");
    let api = cluster.start("api", &[]);
    let told = until("a reason", || {
        reason(&api, "topic-trades").filter(|told| told.contains("no aggregator"))
    });
    println!("without an aggregator: {told}");
    let aggregator = cluster.ready("aggregator");
    wait_ready(&api);
    api.terminate().success();
    aggregator.terminate().success();
}

#[test]
fn a_bad_configuration_is_told_whole_and_ends_with_64() {
    let mut command = candlewick(&["archiver", "--timescaledb-url", "mysql://x"]);
    let told = Finished::of(command.args(["--breaker-failures", "0"]));
    assert_eq!(told.code, Some(64), "{}", told.text);
    for wrong in [
        "--timescaledb-url",
        "clickhouse.url: missing",
        "--breaker-failures",
    ] {
        assert!(told.text.contains(wrong), "{wrong} is not in {}", told.text);
    }
}
