//! Users without some of their rights, on a broker with an authorizer.

use crate::acls::AclOperation::{DescribeConfigs, Read, Write};
use crate::acls::{AclResource, SecureBroker};
use crate::bars::{SYMBOLS, send, trade, wait_counted};
use crate::cluster::{TestCluster, wait_for_reason, wait_ready};
use crate::support::eventually;

/// A user who may do only what ACLs allow.
const USER: &str = "limited";

#[test]
fn a_missing_right_is_named_with_its_remedy_and_trades_are_a_503_until_it_is_granted() {
    let broker = SecureBroker::from_environment();
    let mut cluster = TestCluster::with_authorizer("rights");
    cluster.set_option("--kafka-username", USER.to_owned());
    let [trades, updates, letters, group] =
        ["trades", "bar-updates", "dead-letters", "aggregator"].map(|name| cluster.full_name(name));
    let topic = AclResource::Topic;
    broker.allow(USER, topic(&trades), &[Read, DescribeConfigs]);
    broker.allow(USER, topic(&updates), &[Read, Write]);
    broker.allow(USER, topic(&letters), &[Write, DescribeConfigs]);
    broker.allow("somebody", AclResource::Group(&group), &[Read]);

    // At the start.
    let aggregator = cluster.start("aggregator", &[]);
    let reason = wait_for_reason(&aggregator, "topic-trades", "lacks Write on it");
    let remedy = format!("--allow-principal User:{USER} --operation Write --topic {trades}");
    assert!(reason.contains(&remedy), "{reason}");
    wait_for_reason(
        &aggregator,
        "topic-bar-updates",
        "lacks DescribeConfigs on it",
    );
    broker.allow(USER, topic(&trades), &[Write]);
    broker.allow(USER, topic(&updates), &[DescribeConfigs]);
    let reason = wait_for_reason(&aggregator, "group", "deny access to the consumer group");
    assert!(reason.contains("docs/rights.md"), "{reason}");
    broker.allow(USER, AclResource::Group(&group), &[Read]);
    wait_ready(&aggregator);
    let archiver = cluster.start_ready("archiver");
    let api = cluster.start_ready("api");
    let client = api.client();
    send(&client, 1..3);
    wait_counted(&client, 2);

    // While they run.
    broker.revoke(USER, topic(&trades), &[Write]);
    let body = serde_json::to_vec(&[trade("A", 3)]).unwrap();
    eventually("the status", &503, || {
        client.post_trades("application/json", &body, &[]).status
    });
    let refused = client.post_trades("application/json", &body, &[]);
    println!("{}", refused.text);
    let problem = refused.problem(503);
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.contains("the brokers deny access to the topic"),
        "{detail}"
    );
    for role in [&aggregator, &api] {
        wait_for_reason(role, "topic-trades", "lacks Write on it");
    }
    let letters_command = cluster.dead_letters(&["list"]);
    assert_eq!(letters_command.code, Some(1), "{}", letters_command.text);
    assert!(
        letters_command.text.contains("lacks Read on it"),
        "{}",
        letters_command.text
    );

    broker.allow(USER, topic(&trades), &[Write]);
    for role in [&aggregator, &api] {
        wait_ready(role);
    }
    send(&client, 3..5);
    wait_counted(&client, 4);
    cluster.verify(4 * SYMBOLS.len() as u64);
    for process in [api, archiver, aggregator] {
        process.terminate().success();
    }
}
