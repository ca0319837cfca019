//! Partitions that move from one process to another.

use crate::bars::{SYMBOLS, send, wait_counted};
use crate::cluster::{PARTITIONS, TestCluster, wait_ready};
use crate::support::{TestProcess, eventually};

/// Returns the number of partitions that a process owns.
pub(crate) fn owned_partitions(process: &TestProcess) -> usize {
    let metrics = process.client().metrics();
    let owned = metrics.get("candlewick_group_partitions");
    format!("{}", owned.copied().unwrap_or(0.0))
        .parse()
        .unwrap()
}

/// Waits until each of two processes owns half of the partitions.
fn wait_shared(processes: [&TestProcess; 2]) {
    eventually("partitions of each", &[PARTITIONS / 2; 2], || {
        processes.map(owned_partitions)
    });
}

#[test]
fn two_of_a_role_share_the_partitions_and_one_that_stops_hands_its_own_over() {
    let cluster = TestCluster::new("shared");
    let first = cluster.start_ready("aggregator");
    assert_eq!(owned_partitions(&first), PARTITIONS);
    let archivers = [(); 2].map(|()| cluster.start_ready("archiver"));
    let api = cluster.start_ready("api");
    let client = api.client();
    send(&client, 1..21);

    let second = cluster.start_ready("aggregator");
    wait_shared([&first, &second]);
    wait_shared([&archivers[0], &archivers[1]]);
    send(&client, 21..41);
    wait_counted(&client, 40);

    // A process stops while trades are sent: none is lost, and none counts twice.
    let sender = std::thread::spawn({
        let client = client.clone();
        move || send(&client, 41..141)
    });
    let output = first.terminate();
    assert_eq!(output.code, Some(0), "{}", output.text);
    assert!(output.text.contains("leaving the group"), "{}", output.text);
    let [archiver, other] = archivers;
    archiver.terminate().success();
    sender.join().unwrap();
    eventually("partitions of who is left", &[PARTITIONS; 2], || {
        [owned_partitions(&second), owned_partitions(&other)]
    });
    wait_counted(&client, 140);
    wait_ready(&second);
    cluster.verify(140 * SYMBOLS.len() as u64);
    for process in [second, other, api] {
        process.terminate().success();
    }
}

#[test]
fn one_that_is_killed_is_replaced_and_every_bar_is_right() {
    let cluster = TestCluster::new("killed");
    let (first, second) = (
        cluster.start_ready("aggregator"),
        cluster.start_ready("aggregator"),
    );
    let archivers = [(); 2].map(|()| cluster.start_ready("archiver"));
    let api = cluster.start_ready("api");
    let client = api.client();
    wait_shared([&first, &second]);
    wait_shared([&archivers[0], &archivers[1]]);
    send(&client, 1..41);
    first.kill();
    let [archiver, other] = archivers;
    archiver.kill();
    send(&client, 41..81);
    wait_counted(&client, 80);
    eventually("partitions of who is left", &[PARTITIONS; 2], || {
        [owned_partitions(&second), owned_partitions(&other)]
    });
    cluster.verify(80 * SYMBOLS.len() as u64);
    for process in [second, other, api] {
        process.terminate().success();
    }
}
