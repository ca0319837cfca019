//! The bench of a cluster, over the real servers.

use std::process::Command;

/// Returns the address of a server that this test needs.
fn server_address(variable: &str) -> String {
    let address = std::env::var(variable);
    address.expect("the addresses of the servers are set: run `make stack`, and see what it prints")
}

/// The part `kafka` folds the same topic once in each round, each time into an empty database.
#[test]
fn each_round_folds_the_topic_into_an_empty_database() {
    let output = Command::new(env!("CARGO_BIN_EXE_candlewick-bench"))
        .args(["--only", "kafka", "--trades", "20000", "--rounds", "3"])
        .args(["--partitions", "2"])
        .args(["--kafka-brokers", &server_address("CANDLEWICK_KAFKA")])
        .args([
            "--timescaledb-url",
            &server_address("CANDLEWICK_TIMESCALEDB"),
        ])
        .args(["--clickhouse-url", &server_address("CANDLEWICK_CLICKHOUSE")])
        .args(["--redis-url", &server_address("CANDLEWICK_REDIS")])
        .output()
        .expect("the bench starts");
    let printed = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}{errors}");
    for round in 1..=3 {
        assert!(
            printed.contains(&format!("round {round}: plain ")),
            "{printed}{errors}"
        );
    }
    assert!(
        printed.contains("| Kafka to durable bars, trades by CPU-second"),
        "{printed}{errors}"
    );
}
