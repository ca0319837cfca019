//! What operators do to a cluster: it is noticed, named with the remedy, and loses nothing.

use crate::bars::{SYMBOLS, send, trade, wait_counted};
use crate::cluster::{PARTITIONS, TestCluster, wait_for_any_reason, wait_for_reason, wait_ready};
use crate::support::{Finished, counted_trades, eventually, table_number, until};

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
    let roles = ["aggregator", "archiver", "api"].map(|role| cluster.start(role, &[]));
    for role in &roles {
        let reason = wait_for_reason(role, "topic-trades", "partitions");
        assert!(reason.contains("of 4"), "{reason}");
        assert!(reason.contains("topics apply --partitions 4"), "{reason}");
    }
    for process in roles {
        process.terminate().success();
    }
    // The remedy: nothing was left to fold, so the topics are made anew.
    cluster.delete_topics(&["trades", "bar-updates", "dead-letters"]);
    cluster.apply_topics();
    let roles = ["aggregator", "archiver", "api"].map(|role| cluster.start_ready(role));
    let client = roles[2].client();
    send(&client, 11..13);
    wait_counted(&client, 12);
    cluster.verify(12 * SYMBOLS.len() as u64);
    for process in roles {
        process.terminate().success();
    }
}

#[test]
fn a_topic_with_other_partitions_than_the_rest_is_named_and_the_remedy_works() {
    let cluster = TestCluster::new("unequal");
    cluster.start_ready("aggregator").terminate().success();
    cluster.add_partitions("dead-letters", PARTITIONS * 2);
    let ended = cluster.start("aggregator", &[]).wait_end();
    assert_eq!(ended.code, Some(1), "{}", ended.text);
    let text = ended.text;
    assert!(text.contains("dead-letters has 8"), "{text}");
    assert!(
        text.contains("delete the one of bar-updates and dead-letters"),
        "{text}"
    );
    let output = cluster.dead_letters(&["list"]);
    assert_eq!(output.code, Some(1), "{}", output.text);
    // The remedy.
    cluster.delete_topics(&["dead-letters"]);
    cluster.apply_topics();
    cluster.start_ready("aggregator").terminate().success();
    cluster.dead_letters(&["list"]).success();
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

#[test]
fn a_second_database_on_the_same_topics_is_refused_until_an_operator_binds_it() {
    let cluster = TestCluster::new("production");
    let aggregator = cluster.start_ready("aggregator");
    let archiver = cluster.start_ready("archiver");
    let api = cluster.start_ready("api");
    send(&api.client(), 1..4);
    wait_counted(&api.client(), 3);
    // One wrong variable: the topics of the other deployment, with or without its group.
    let staging = TestCluster::empty("staging");
    staging.migrate();
    let confused = staging.start_with_topics_of(&cluster, "aggregator");
    let reason = wait_for_reason(&confused, "topic-trades", "another database");
    assert!(reason.contains("bars in production_"), "{reason}");
    assert!(reason.contains("candlewick topics bind"), "{reason}");
    send(&api.client(), 4..7);
    wait_counted(&api.client(), 6);
    cluster.verify(6 * SYMBOLS.len() as u64);

    // No aggregator runs: `verify` names the partitions that have records to fold.
    aggregator.terminate().success();
    send(&api.client(), 7..8);
    let output = cluster.run_verify();
    assert_eq!(output.code, Some(1), "{}", output.text);
    let named = output
        .text
        .lines()
        .filter(|line| line.contains("of trades stands still"));
    assert_eq!(named.count(), PARTITIONS, "{}", output.text);

    let mut command = crate::support::candlewick(&["topics", "bind"]);
    command.args(cluster.options(&["--brokers", "--kafka"]));
    command.args(staging.options(&["--timescaledb"]));
    let output = Finished::of(&mut command).success();
    assert!(output.contains("was folded into"), "{output}");
    wait_ready(&confused);
    // The database that was left is the stranger now.
    let former = cluster.start("aggregator", &[]);
    let reason = wait_for_reason(&former, "topic-trades", "another database");
    assert!(reason.contains("bars in staging_"), "{reason}");
    for process in [former, confused, archiver, api] {
        process.terminate().success();
    }
}

/// Deleting a topic deletes its binding. An aggregator that was refused and waits must not take the
/// new topic before the aggregators of its deployment do.
#[test]
fn a_refused_aggregator_does_not_bind_a_topic_that_is_created_again() {
    let cluster = TestCluster::new("recreated");
    cluster.start_ready("aggregator").terminate().success();
    let staging = TestCluster::empty("waiting");
    staging.migrate();
    let confused = staging.start_with_topics_of(&cluster, "aggregator");
    wait_for_reason(&confused, "topic-trades", "another database");
    cluster.delete_topics(&["trades", "bar-updates", "dead-letters"]);
    cluster.apply_topics();
    let reason = wait_for_reason(&confused, "topic-trades", "restart this process");
    println!("{reason}");
    let aggregator = cluster.start_ready("aggregator");
    let reason = wait_for_reason(&confused, "topic-trades", "into another database, ");
    assert!(reason.contains("bars in recreated_"), "{reason}");
    for process in [confused, aggregator] {
        process.terminate().success();
    }
}

#[test]
fn readyz_says_why_commits_are_not_accepted() {
    let cluster = TestCluster::new("causes");
    let aggregator = cluster.start("aggregator", &["--breaker-open-for", "2s"]);
    wait_ready(&aggregator);
    let api = cluster.start_ready("api");
    let client = api.client();
    send(&client, 1..3);
    wait_counted(&client, 2);

    let lock = cluster.lock_bars_table("partition_progress");
    send(&client, 3..5);
    let reason = wait_for_any_reason(&aggregator, "aggregator-", "lock timeout");
    println!("{reason}");
    drop(lock);
    wait_counted(&client, 4);
    wait_ready(&aggregator);

    cluster.set_bars_read_only(true);
    send(&client, 5..7);
    let reason = wait_for_any_reason(&aggregator, "aggregator-", "read-only transaction");
    println!("{reason}");
    cluster.set_bars_read_only(false);
    // The sessions of the pod were ended too, which its next request notices.
    until("the pod reads", || {
        (client.get("/api/v1/symbols").status == 200).then_some(())
    });
    wait_counted(&client, 6);
    wait_ready(&aggregator);
    for process in [api, aggregator] {
        process.terminate().success();
    }
}

#[test]
fn bars_that_were_dropped_by_hand_are_named_and_repaired() {
    let cluster = TestCluster::new("dropped");
    let roles = ["aggregator", "archiver", "api"].map(|role| cluster.start_ready(role));
    let client = roles[2].client();
    // Six minutes and a half: bars of one and of five minutes are closed.
    let trades: Vec<_> = (0..390).map(|id| trade("A", id)).collect();
    client.send_trades(&trades);
    eventually("trades", &390, || counted_trades(&client, "v", "A"));
    cluster.verify(390);
    cluster.execute_on_bars(
        "DO $$ BEGIN PERFORM drop_chunks('bars', older_than => TIMESTAMPTZ '2024-06-01'); \
         EXCEPTION WHEN undefined_function THEN DELETE FROM bars; END $$",
    );
    let output = cluster.run_verify();
    assert_eq!(output.code, Some(1), "{}", output.text);
    for bar in ["v:A 1m 2024-05-01T00:00:00Z", "v:A 5m 2024-05-01T00:00:00Z"] {
        let missing = format!("{bar} bar: stored none");
        assert!(output.text.contains(&missing), "{}", output.text);
    }
    let mut command = crate::support::candlewick(&["repair", "--force", "--server"]);
    command.args([&*roles[2].url(), "--venue", "v", "--symbol", "A"]);
    command.args([
        "--start",
        "2024-05-01T00:00:00Z",
        "--end",
        "2024-05-01T00:10:00Z",
    ]);
    let output = Finished::of(&mut command).success();
    assert!(output.contains("minutes will be refolded"), "{output}");
    until("every bar is right", || {
        let Finished { code, text } = cluster.run_verify();
        (code == Some(0) && table_number(&text, "to be refolded") == 0).then_some(())
    });
    cluster.verify(390);
    for process in roles {
        process.terminate().success();
    }
}
