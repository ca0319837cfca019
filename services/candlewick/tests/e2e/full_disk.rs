//! A full disk: the error names it, and no acknowledged trade is lost.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::support::{
    TestClient, TestProcess, TestResponse, candlewick, counted_trades, eventually, until, verify,
};

const BATCH: u64 = 2_000;

/// A small file system in memory. It is unmounted when this is dropped.
struct MountedDisk(PathBuf);

impl MountedDisk {
    /// Mounts a file system; returns `None` without the right to mount.
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

impl Drop for MountedDisk {
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
            // The values vary, so that they do not compress well.
            let time = 1_714_557_600_000_000_000 + id * 1_000_003;
            let price = format!("{}.{}", id * 7_919 % 100_003 + 1, id * 104_729 % 9_973);
            json!({"venue": "v", "symbol": "X", "id": id, "time": time, "price": price})
        })
        .collect();
    let body = serde_json::to_vec(&trades).unwrap();
    client.post_trades("application/json", &body, &[])
}

/// Sends batches until one is refused; returns the number of acknowledged batches and the refusal.
fn fill(client: &TestClient) -> (u64, TestResponse) {
    for batch in 0..10_000 {
        let answer = post(client, batch);
        if answer.status != 200 {
            return (batch, answer);
        }
    }
    panic!("the disk is never full");
}

/// Asserts that the refusal is a problem that names the reason, and that the process logs it.
fn assert_told(standalone: &TestProcess, refusal: &TestResponse, status: u16, reason: &str) {
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
    let Some(disk) = MountedDisk::mount(&folder.path().join("disk")) else {
        println!(
            "NOT TESTED: mounting a small tmpfs is not permitted here; a limit of file sizes stands in for a full disk in the other test"
        );
        return;
    };
    let data = disk.0.join("data");
    let standalone = TestProcess::start(&data);
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
    eventually("trades", &expected, || counted_trades(&client, "v", "X"));
    println!("{acknowledged} batches fitted; with more room all {expected} trades are counted");
    standalone.terminate().success();
    verify(&data, expected);

    // A folder that has become read-only.
    disk.remount("remount,ro");
    let starting = TestProcess::spawn(candlewick(&[]), &data, "127.0.0.1:0", &[]);
    let finished = starting.wait_end();
    println!("read-only: exit {:?}: {}", finished.code, finished.text);
    assert_eq!(finished.code, Some(1), "{}", finished.text);
    let said = finished.text.to_lowercase();
    assert!(
        said.contains("read-only") || said.contains("readonly"),
        "{said}"
    );
    disk.remount("remount,rw");
    let standalone = TestProcess::start(&data);
    assert_eq!(counted_trades(&standalone.client(), "v", "X"), expected);
    standalone.terminate().success();
}

/// A limit of the file size stands in for a full disk: it needs no rights, and the log reaches it
/// first. The process is then killed.
#[test]
fn what_was_acknowledged_before_no_file_could_grow_is_there_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut shell = Command::new("sh");
    // The unit is 512 bytes.
    let script = "ulimit -f 8192; exec \"$0\" \"$@\"";
    shell
        .args(["-c", script])
        .arg(candlewick(&[]).get_program());
    let standalone = TestProcess::spawn(shell, &data, "127.0.0.1:0", &[]).wait_listening();
    let client = standalone.client();
    until("readiness", || {
        (client.get("/readyz").status == 200).then_some(())
    });
    let (acknowledged, refusal) = fill(&client);
    assert!(acknowledged > 0);
    assert_told(&standalone, &refusal, 503, "File too large");
    standalone.kill();

    let standalone = TestProcess::start(&data);
    let client = standalone.client();
    // The refused batch may be stored or not. Sent again, it is stored once.
    assert_eq!(post(&client, acknowledged).status, 200);
    let expected = (acknowledged + 1) * BATCH;
    eventually("trades", &expected, || counted_trades(&client, "v", "X"));
    println!("{acknowledged} batches fitted; after a restart all {expected} trades are counted");
    verify(&data, expected);
    standalone.terminate().success();
}
