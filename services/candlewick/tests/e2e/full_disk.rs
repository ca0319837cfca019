//! A disk that is full: it is said, and nothing acknowledged is lost.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::support::{
    Standalone, TestClient, TestResponse, candlewick, counted, eventually, until, verify,
};

const BATCH: u64 = 2_000;

/// A small file system in memory, unmounted with this handle.
struct Disk(PathBuf);

impl Disk {
    /// None where we may not mount.
    fn mount(path: &Path) -> Option<Self> {
        std::fs::create_dir(path).unwrap();
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", "size=6m", "tmpfs"]);
        let mounted = command.arg(path).output();
        let is_mounted = mounted.is_ok_and(|output| output.status.success());
        is_mounted.then(|| Self(path.to_owned()))
    }

    fn remount(&self, options: &str) {
        let mut command = Command::new("mount");
        let status = command.args(["-o", options]).arg(&self.0).status();
        assert!(status.unwrap().success(), "remount,{options}");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(&self.0).status();
        if !unmounted.is_ok_and(|status| status.success()) {
            println!("{} stays mounted", self.0.display());
        }
    }
}

fn post(client: &TestClient, batch: u64) -> TestResponse {
    let trades: Vec<_> = (batch * BATCH..(batch + 1) * BATCH)
        .map(|id| {
            // Varied, so that it takes room.
            let time = 1_714_557_600_000_000_000 + id * 1_000_003;
            let price = format!("{}.{}", id * 7_919 % 100_003 + 1, id * 104_729 % 9_973);
            json!({"venue": "v", "symbol": "X", "id": id, "time": time, "price": price})
        })
        .collect();
    let body = serde_json::to_vec(&trades).unwrap();
    client.post_trades("application/json", &body, &[])
}

/// Sends batches until one is refused; how many were acknowledged, and the refusal.
fn fill(client: &TestClient) -> (u64, TestResponse) {
    for batch in 0..10_000 {
        let answer = post(client, batch);
        if answer.status != 200 {
            return (batch, answer);
        }
    }
    panic!("the disk is never full");
}

/// The refusal is a problem that says what is wrong, and so does the process's log.
fn assert_told(standalone: &Standalone, refusal: &TestResponse, status: u16, reason: &str) {
    println!("refused with {}: {}", refusal.status, refusal.text);
    let problem = refusal.problem(status);
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains(reason), "{problem}");
    until("the reason in the log", || {
        standalone.output().contains(reason).then_some(())
    });
}

#[test]
fn a_full_disk_is_told_and_when_there_is_room_again_it_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::mount(&folder.path().join("disk")) else {
        println!(
            "NOT TESTED: mounting a small tmpfs is not permitted here; a limit of file sizes stands in for a full disk in the other test"
        );
        return;
    };
    let data = disk.0.join("data");
    let standalone = Standalone::start(&data);
    let client = standalone.client();
    let (acknowledged, refusal) = fill(&client);
    assert!(acknowledged > 0);
    assert_told(&standalone, &refusal, 507, "No space left on device");
    until("it is not ready", || {
        let answer = client.get("/readyz");
        (answer.status == 503).then_some(())
    });

    disk.remount("remount,size=200m");
    until("the batch that was refused", || {
        (post(&client, acknowledged).status == 200).then_some(())
    });
    until("it is ready", || {
        (client.get("/readyz").status == 200).then_some(())
    });
    let expected = (acknowledged + 1) * BATCH;
    eventually("trades", &expected, || counted(&client, "v", "X"));
    println!("{acknowledged} batches fitted; with more room all {expected} trades are counted");
    standalone.terminate().success();
    verify(&data, expected);

    // A folder that cannot be written to any more.
    disk.remount("remount,ro");
    let starting = Standalone::spawn(candlewick(&[]), &data, "127.0.0.1:0", &[]);
    let finished = starting.ended();
    println!("read-only: exit {:?}: {}", finished.code, finished.text);
    assert_eq!(finished.code, Some(1), "{}", finished.text);
    let said = finished.text.to_lowercase();
    assert!(
        said.contains("read-only") || said.contains("readonly"),
        "{said}"
    );
    disk.remount("remount,rw");
    let standalone = Standalone::start(&data);
    assert_eq!(counted(&standalone.client(), "v", "X"), expected);
    standalone.terminate().success();
}

/// No file may grow beyond a limit, which is as if the disk were full, needs no rights, and hits
/// the log first. The process is then killed, as it would be by someone who needs room.
#[test]
fn what_was_acknowledged_before_no_file_could_grow_is_there_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut shell = Command::new("sh");
    // Blocks of 512 bytes; the signal that comes with the limit is not for us.
    let script = "trap '' XFSZ; ulimit -f 8192; exec \"$0\" \"$@\"";
    shell
        .args(["-c", script])
        .arg(candlewick(&[]).get_program());
    let standalone = Standalone::spawn(shell, &data, "127.0.0.1:0", &[]).listening();
    let client = standalone.client();
    until("readiness", || {
        (client.get("/readyz").status == 200).then_some(())
    });
    let (acknowledged, refusal) = fill(&client);
    assert!(acknowledged > 0);
    assert_told(&standalone, &refusal, 503, "File too large");
    standalone.kill();

    let standalone = Standalone::start(&data);
    let client = standalone.client();
    // The refused batch may be there or not; sent again it is, and nothing twice.
    assert_eq!(post(&client, acknowledged).status, 200);
    let expected = (acknowledged + 1) * BATCH;
    eventually("trades", &expected, || counted(&client, "v", "X"));
    println!("{acknowledged} batches fitted; after a restart all {expected} trades are counted");
    verify(&data, expected);
    standalone.terminate().success();
}
