//! Ends of the process: by itself after an error, and despite an unfinished request.

use std::io::Write;
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::support::{TestProcess, candlewick, pause, until};

/// Returns a body of `count` trades whose ids start at `first`. The trades vary, so that they do
/// not compress well.
fn body(first: u64, count: u64) -> Vec<u8> {
    let trades: Vec<_> = (first..first + count)
        .map(|id| {
            let time = 1_714_557_600_000_000_000 + id * 1_000_003;
            let price = format!("{}.{}", id * 7_919 % 100_003 + 1, id * 104_729 % 9_973);
            json!({"venue": "v", "symbol": "X", "id": id, "time": time, "price": price})
        })
        .collect();
    serde_json::to_vec(&trades).unwrap()
}

/// A limit of the file size stands in for a disk that cannot be written to, as in `full_disk`.
#[test]
fn a_log_that_cannot_be_written_for_long_ends_the_process_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut shell = Command::new("sh");
    let script = "ulimit -f 8192; exec \"$0\" \"$@\"";
    shell
        .args(["-c", script])
        .arg(candlewick(&[]).get_program());
    let standalone = TestProcess::spawn(shell, &data, "127.0.0.1:0", &[]).wait_listening();
    let client = standalone.client();
    until("readiness", || {
        (client.get("/readyz").status == 200).then_some(())
    });
    let mut next = 0;
    let refusal = until("a refusal", || {
        let answer = client.post_trades("application/json", &body(next, 2_000), &[]);
        next += 2_000;
        (answer.status != 200).then_some(answer)
    });
    println!("refused with {}: {}", refusal.status, refusal.text);
    let detail = refusal.problem(503)["detail"].to_string();
    assert!(detail.contains("trades.redb: "), "{detail}");
    assert!(detail.contains("File too large"), "{detail}");

    // Small appends may still fit into the file, so it is filled to its last page.
    until("the end", || {
        let answer = client.try_post_trades("application/json", &body(next, 1));
        next += 1;
        answer.is_none().then_some(())
    });
    let finished = standalone.wait_end();
    assert_eq!(finished.code, Some(1), "{}", finished.text);
    let said = finished.text;
    for part in ["log watch failed", "trades.redb: ", "File too large"] {
        assert!(said.contains(part), "{part} in {said}");
    }
}

#[test]
fn half_a_request_does_not_keep_the_process_from_ending_well() {
    let folder = tempfile::tempdir().unwrap();
    let standalone = TestProcess::start(&folder.path().join("data"));
    let mut half = TcpStream::connect(standalone.address()).unwrap();
    half.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
        .unwrap();
    pause(Duration::from_millis(200));
    standalone.terminate().success();
}
