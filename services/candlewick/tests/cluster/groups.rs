//! Partitions that go from one process to another.

use crate::bars::{SYMBOLS, send, wait_counted};
use crate::cluster::{Cluster, PARTITIONS, wait_ready};
use crate::support::{Standalone, eventually};

/// How many partitions a process works on.
pub(crate) fn owned(process: &Standalone) -> usize {
    let metrics = process.client().metrics();
    let owned = metrics.get("candlewick_group_partitions");
    format!("{}", owned.copied().unwrap_or(0.0))
        .parse()
        .unwrap()
}

/// Waits until each of some processes works on half of the partitions.
fn wait_shared(processes: [&Standalone; 2]) {
    eventually("partitions of each", &[PARTITIONS / 2; 2], || {
        processes.map(owned)
    });
}

#[test]
fn two_of_a_role_share_the_partitions_and_one_that_stops_hands_its_own_over() {
    let cluster = Cluster::new("shared");
    let first = cluster.ready("aggregator");
    assert_eq!(owned(&first), PARTITIONS);
    let archivers = [(); 2].map(|()| cluster.ready("archiver"));
    let api = cluster.ready("api");
    let client = api.client();
    send(&client, 1..21);

    let second = cluster.ready("aggregator");
    wait_shared([&first, &second]);
    wait_shared([&archivers[0], &archivers[1]]);
    send(&client, 21..41);
    wait_counted(&client, 40);

    // It stops in order while trades come in: nothing is lost, nothing counts twice.
    let sender = std::thread::spawn({
        let client = client.clone();
        move || send(&client, 41..141)
    });
    let told = first.terminate();
    assert_eq!(told.code, Some(0), "{}", told.text);
    assert!(told.text.contains("leaving the group"), "{}", told.text);
    let [archiver, other] = archivers;
    archiver.terminate().success();
    sender.join().unwrap();
    eventually("partitions of who is left", &[PARTITIONS; 2], || {
        [owned(&second), owned(&other)]
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
    let cluster = Cluster::new("killed");
    let (first, second) = (cluster.ready("aggregator"), cluster.ready("aggregator"));
    let archivers = [(); 2].map(|()| cluster.ready("archiver"));
    let api = cluster.ready("api");
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
        [owned(&second), owned(&other)]
    });
    cluster.verify(80 * SYMBOLS.len() as u64);
    for process in [second, other, api] {
        process.terminate().success();
    }
}
