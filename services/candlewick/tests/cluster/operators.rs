//! What operators do to a cluster: it is noticed, named with the remedy, and loses nothing.

use crate::bars::{SYMBOLS, send, wait_counted};
use crate::cluster::{PARTITIONS, TestCluster, wait_for_reason, wait_ready};
use crate::support::Finished;

/// The component of a role that watches the settings of its topics.
const SETTINGS: &str = "topic-settings";

#[test]
fn times_of_senders_and_compaction_are_named_and_lose_nothing() {
    let cluster = TestCluster::new("settings");
    let roles = ["aggregator", "archiver", "api"].map(|role| cluster.start_ready(role));
    let [_, _, api] = &roles;
    let client = api.client();
    send(&client, 1..11);
    wait_counted(&client, 10);

    cluster.alter_topic("trades", &[("message.timestamp.type", "CreateTime")]);
    for role in &roles {
        let reason = wait_for_reason(role, SETTINGS, "message.timestamp.type=CreateTime");
        assert!(reason.contains("candlewick topics apply"), "{reason}");
    }
    send(&client, 11..21);
    wait_counted(&client, 20);
    cluster.alter_topic("trades", &[("cleanup.policy", "compact")]);
    for role in &roles {
        wait_for_reason(role, SETTINGS, "cleanup.policy=compact");
    }
    cluster.apply_topics();
    for role in &roles {
        wait_ready(role);
    }
    send(&client, 21..31);
    wait_counted(&client, 30);
    let [aggregator, archiver, api] = roles;
    // A process that begins after those records gives them the same append times.
    for process in [aggregator, archiver] {
        process.terminate().success();
    }
    let roles = ["aggregator", "archiver"].map(|role| cluster.start_ready(role));
    send(&client, 31..41);
    wait_counted(&client, 40);
    cluster.verify(40 * SYMBOLS.len() as u64);
    for process in roles.into_iter().chain([api]) {
        process.terminate().success();
    }
}

#[test]
fn added_partitions_are_noticed_and_refused_with_what_to_do() {
    let cluster = TestCluster::new("partitions");
    let roles = ["aggregator", "archiver", "api"].map(|role| cluster.start_ready(role));
    let client = roles[2].client();
    send(&client, 1..11);
    wait_counted(&client, 10);
    for topic in ["trades", "bar-updates", "dead-letters"] {
        cluster.add_partitions(topic, PARTITIONS * 2);
    }
    for role in &roles {
        wait_for_reason(role, SETTINGS, "partitions");
    }
    let [aggregator, archiver, api] = roles;
    for process in [aggregator, archiver, api] {
        process.terminate().success();
    }
    for role in ["aggregator", "archiver", "api"] {
        let restarted = cluster.start(role, &[]);
        let reason = wait_for_reason(&restarted, "topic-trades", "partitions");
        assert!(reason.contains("of 4"), "{reason}");
        assert!(reason.contains("topics apply --partitions 4"), "{reason}");
        restarted.terminate().success();
    }
}

#[test]
fn a_database_of_another_deployment_is_refused_until_an_operator_allows_it() {
    let cluster = TestCluster::new("bound");
    let aggregator = cluster.start_ready("aggregator");
    aggregator.terminate().success();
    let stranger = TestCluster::empty("stranger");
    stranger.apply_topics();
    // One wrong variable: the database of the other deployment.
    let confused = cluster.start_with_topics_of(&stranger, "aggregator");
    let reason = wait_for_reason(&confused, "topic-trades", "another deployment");
    assert!(reason.contains("belongs to topic bound_"), "{reason}");
    assert!(reason.contains("migrate --adopt-topics"), "{reason}");
    let mut command = crate::support::candlewick(&["migrate", "--adopt-topics"]);
    command.args(cluster.options(&["--timescaledb"]));
    let output = Finished::of(&mut command).success();
    assert!(output.contains("of another origin"), "{output}");
    wait_ready(&confused);
    confused.terminate().success();
}
