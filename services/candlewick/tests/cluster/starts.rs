//! Processes that start before the servers they need.

use crate::bars::{send, wait_counted};
use crate::cluster::{TestCluster, unready_reason, wait_ready};
use crate::support::{Finished, TestClient, candlewick, until};

/// An address at which no server listens.
const NOWHERE: &str = "127.0.0.1:9";

#[test]
fn a_process_waits_for_its_servers_says_for_which_and_can_be_stopped() {
    let cluster = TestCluster::new("waits");
    let postgres = format!("postgres://me@{NOWHERE}/bars");
    let clickhouse = format!("http://{NOWHERE}");
    for role in ["aggregator", "archiver", "api"] {
        let without_bars = cluster.start(role, &["--timescaledb-url", &postgres]);
        let output = until("a reason", || {
            unready_reason(&without_bars, "timescaledb").filter(|output| output != "starting")
        });
        assert!(output.contains(NOWHERE), "{output}");
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
    let output = until("a reason", || {
        unready_reason(&without_ticks, "clickhouse").filter(|output| output != "starting")
    });
    assert!(output.contains(NOWHERE), "{output}");
    without_ticks.terminate().success();
}

#[test]
fn a_listener_for_probes_alone_answers_probes_and_metrics_and_nothing_else() {
    let cluster = TestCluster::empty("probes");
    let postgres = format!("postgres://me@{NOWHERE}/bars");
    for role in ["archiver", "api"] {
        let process = cluster.start(
            role,
            &[
                "--timescaledb-url",
                &postgres,
                "--probes-listen",
                "127.0.0.1:0",
            ],
        );
        let url = until("the address for probes", || {
            let output = process.output();
            let mut lines = output.lines().map(str::trim);
            let url = lines.find_map(|line| line.strip_prefix("probes"))?.trim();
            url.strip_suffix("/readyz").map(str::to_owned)
        });
        let probes = TestClient::new(&url);
        assert_ne!(url, process.url());
        assert_eq!(probes.get("/healthz").status, 200, "{role}");
        assert_eq!(probes.get("/readyz").status, 503, "{role}");
        assert!(
            probes.get("/metrics").text.contains("candlewick_"),
            "{role}"
        );
        assert_eq!(probes.get("/api/v1/symbols").status, 404, "{role}");
        process.terminate().success();
    }
}

#[test]
fn processes_may_start_in_any_order_and_before_tables_and_topics() {
    let cluster = TestCluster::empty("order");
    let api = cluster.start("api", &[]);
    let archiver = cluster.start("archiver", &[]);
    let aggregator = cluster.start("aggregator", &[]);
    let output = until("a reason", || {
        unready_reason(&aggregator, "timescaledb").filter(|output| output.contains("migrate"))
    });
    println!("without tables: {output}");
    let answer = api.client().get("/api/v1/symbols");
    assert_eq!(answer.status, 503, "{}", answer.text);
    assert!(answer.text.contains("/readyz"), "{}", answer.text);
    cluster.migrate();
    let output = until("a reason", || {
        unready_reason(&aggregator, "topic-trades").filter(|output| output.contains("topics apply"))
    });
    println!("without topics: {output}");
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
    let cluster = TestCluster::new("adopted");
    let api = cluster.start("api", &[]);
    let output = until("a reason", || {
        unready_reason(&api, "topic-trades").filter(|output| output.contains("no aggregator"))
    });
    println!("without an aggregator: {output}");
    let aggregator = cluster.start_ready("aggregator");
    wait_ready(&api);
    api.terminate().success();
    aggregator.terminate().success();
}

#[test]
fn a_bad_configuration_is_told_whole_and_ends_with_64() {
    let mut command = candlewick(&["archiver", "--timescaledb-url", "mysql://x"]);
    let output = Finished::of(command.args(["--breaker-failures", "0"]));
    assert_eq!(output.code, Some(64), "{}", output.text);
    for wrong in [
        "--timescaledb-url",
        "clickhouse.url: missing",
        "--breaker-failures",
    ] {
        assert!(
            output.text.contains(wrong),
            "{wrong} is not in {}",
            output.text
        );
    }
}
