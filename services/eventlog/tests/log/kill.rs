//! Killing the process at any moment loses nothing that was acknowledged.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use clock::ManualClock;
use eventlog::{Log, Offset};

use crate::support::{entry, fetch_all, open, runtime};

const FOLDER: &str = "CANDLEWICK_LOG_KILL_FOLDER";
const PARTITIONS: u32 = 2;

/// Appends are of this many records, so that half of one is seen.
const APPEND: usize = 7;

#[test]
fn a_killed_process_loses_nothing_acknowledged() {
    if let Ok(folder) = std::env::var(FOLDER) {
        append_until_killed(&folder);
    }
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = [0; PARTITIONS as usize];
    for round in 0..20_u64 {
        let mut child = start(&folder.path().display().to_string());
        let output = child.stdout.take().unwrap();
        // Read as it comes: a child that waits for a full pipe is not killed at work.
        let lines = std::thread::spawn(|| BufReader::new(output).lines().collect::<Vec<_>>());
        // A different moment each time, the first ones while it opens.
        std::thread::sleep(Duration::from_millis(3 + (round * round * 7919) % 120));
        child.kill().unwrap();
        for line in lines.join().unwrap() {
            note(&line.unwrap(), &mut acknowledged);
        }
        child.wait().unwrap();
        check(&folder, acknowledged);
    }
    assert!(
        acknowledged.iter().all(|end| *end > 0),
        "nothing was appended"
    );
}

fn start(folder: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "kill::a_killed_process_loses_nothing_acknowledged",
            "--nocapture",
        ])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Reads `acknowledged <partition> <end> .`; the last line may be torn.
fn note(line: &str, acknowledged: &mut [Offset]) {
    let words: Vec<_> = line.split(' ').collect();
    if let ["acknowledged", partition, end, "."] = words[..] {
        let partition: usize = partition.parse().unwrap();
        acknowledged[partition] = acknowledged[partition].max(end.parse().unwrap());
    }
}

fn check(folder: &tempfile::TempDir, acknowledged: [Offset; PARTITIONS as usize]) {
    let log = open(folder, PARTITIONS, &ManualClock::new(0));
    runtime().block_on(async {
        for (partition, end) in (0..).zip(acknowledged) {
            let bounds = log.bounds(partition).await.unwrap();
            assert!(
                bounds.end >= end,
                "{end} were acknowledged, {bounds:?} are there"
            );
            assert_eq!(
                bounds.end % APPEND as Offset,
                0,
                "half of an append is there"
            );
            for record in fetch_all(&log, partition, 0).await {
                assert_eq!(record.value, (record.offset % APPEND as Offset).to_string());
            }
        }
    });
}

/// The child: several appenders, so that commits are groups.
fn append_until_killed(folder: &str) -> ! {
    let path = std::path::Path::new(folder).join("trades.redb");
    let options = crate::support::options(PARTITIONS);
    let log = eventlog::EmbeddedLog::open(path, options, ManualClock::new(0)).unwrap();
    runtime().block_on(async {
        for appender in 0..8 {
            let log = log.clone();
            tokio::spawn(async move {
                let partition = appender % PARTITIONS;
                loop {
                    let entries = (0..APPEND).map(|n| entry("key", &n.to_string())).collect();
                    let offsets = log.append(partition, entries).await.unwrap();
                    println!("acknowledged {partition} {} .", offsets.end);
                }
            });
        }
        std::future::pending::<()>().await;
    });
    unreachable!("it is killed")
}
