//! Killing the process at any moment loses no acknowledged record.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use clock::ManualClock;
use eventlog::contract::{fetch_all, new_record};
use eventlog::{EmbeddedLog, Log, Offset};

use crate::support::{open, options, runtime};

/// The variable that makes this program the process that is killed.
const FOLDER_VARIABLE: &str = "CANDLEWICK_LOG_KILL_FOLDER";
const PARTITIONS: u32 = 2;

/// How many records an append has, so that a part of one would be noticed.
const APPEND_RECORDS: usize = 7;

#[test]
fn a_killed_process_loses_no_acknowledged_record() {
    if let Ok(folder) = std::env::var(FOLDER_VARIABLE) {
        append_until_killed(&folder);
    }
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = [0; PARTITIONS as usize];
    for round in 0..20_u64 {
        let mut child = start_child(&folder.path().display().to_string());
        let output = child.stdout.take().unwrap();
        // Read while the child writes: a child that waits for a full pipe does not append.
        let lines = std::thread::spawn(|| BufReader::new(output).lines().collect::<Vec<_>>());
        // After a different time in each round; in the first ones the child still opens the log.
        std::thread::sleep(Duration::from_millis(3 + (round * round * 7919) % 120));
        child.kill().unwrap();
        for line in lines.join().unwrap() {
            record_acknowledged(&line.unwrap(), &mut acknowledged);
        }
        child.wait().unwrap();
        assert_acknowledged_is_kept(&folder, acknowledged);
    }
    assert!(
        acknowledged.iter().all(|end| *end > 0),
        "nothing was appended"
    );
}

fn start_child(folder: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "kill::a_killed_process_loses_no_acknowledged_record",
            "--nocapture",
        ])
        .env(FOLDER_VARIABLE, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Reads `acknowledged <partition> <end> .`; the last line may be incomplete.
fn record_acknowledged(line: &str, acknowledged: &mut [Offset]) {
    let words: Vec<_> = line.split(' ').collect();
    if let ["acknowledged", partition, end, "."] = words[..] {
        let partition: usize = partition.parse().unwrap();
        acknowledged[partition] = acknowledged[partition].max(end.parse().unwrap());
    }
}

fn assert_acknowledged_is_kept(
    folder: &tempfile::TempDir,
    acknowledged: [Offset; PARTITIONS as usize],
) {
    let log = open(folder, PARTITIONS, &ManualClock::new(0));
    runtime().block_on(async {
        for (partition, end) in (0..).zip(acknowledged) {
            let bounds = log.bounds(partition).await.unwrap();
            assert!(
                bounds.end >= end,
                "{end} were acknowledged, {bounds:?} are there"
            );
            assert_eq!(
                bounds.end % APPEND_RECORDS as Offset,
                0,
                "a part of an append is there"
            );
            for record in fetch_all(&log, partition, 0).await {
                assert_eq!(
                    record.value,
                    (record.offset % APPEND_RECORDS as Offset).to_string()
                );
            }
        }
    });
}

/// Appends from several tasks, so that commits are groups, until this process is killed.
fn append_until_killed(folder: &str) -> ! {
    let path = Path::new(folder).join("trades.redb");
    let options = options(PARTITIONS);
    let log = EmbeddedLog::open(path, options, ManualClock::new(0)).unwrap();
    runtime().block_on(async {
        for appender in 0..8 {
            let log = log.clone();
            tokio::spawn(async move {
                let partition = appender % PARTITIONS;
                loop {
                    let records = (0..APPEND_RECORDS)
                        .map(|n| new_record("key", &n.to_string()))
                        .collect();
                    let offsets = log.append(partition, records).await.unwrap();
                    println!("acknowledged {partition} {} .", offsets.end);
                }
            });
        }
        std::future::pending::<()>().await;
    });
    unreachable!("the process is killed")
}
