//! SIGTERM.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;

use crate::support::{TestClient, TestProcess, counted_trades, until, verify};

/// Sends batches of trades until one fails; adds the acknowledged trades to `acknowledged`.
fn send_until_refused(client: &TestClient, symbol: &str, acknowledged: &AtomicU64) {
    for batch in 0.. {
        let trades: Vec<_> = (batch * 10..batch * 10 + 10_u64)
            .map(|id| {
                let time = 1_714_557_600_000_000_000 + id * 100_000_000;
                json!({"venue": "v", "symbol": symbol, "id": id, "time": time, "price": "1.5"})
            })
            .collect();
        let body = serde_json::to_vec(&trades).unwrap();
        let Some(answer) = client.try_post_trades("application/json", &body) else {
            return;
        };
        if answer.status != 200 {
            assert_eq!(answer.problem(503)["status"], 503);
            return;
        }
        acknowledged.fetch_add(10, Ordering::Relaxed);
    }
}

#[test]
fn sigterm_drains_and_a_restart_has_everything_that_was_acknowledged() {
    const SYMBOLS: [&str; 3] = ["X", "Y", "Z"];
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut standalone = TestProcess::start(&data);
    let acknowledged = [(); SYMBOLS.len()].map(|()| AtomicU64::new(0));
    let finished = std::thread::scope(|scope| {
        for (symbol, acknowledged) in SYMBOLS.iter().zip(&acknowledged) {
            let client = standalone.client();
            scope.spawn(move || send_until_refused(&client, symbol, acknowledged));
        }
        until("some trades of each", || {
            let enough = |count: &AtomicU64| count.load(Ordering::Relaxed) >= 200;
            acknowledged.iter().all(enough).then_some(())
        });
        standalone.send_sigterm();
        standalone.wait_end()
    });
    assert!(finished.text.contains("SIGTERM"), "{}", finished.text);
    finished.success();

    let standalone = TestProcess::start(&data);
    let client = standalone.client();
    let mut all = 0;
    for (symbol, acknowledged) in SYMBOLS.iter().zip(&acknowledged) {
        let acknowledged = acknowledged.load(Ordering::Relaxed);
        let counted = counted_trades(&client, "v", symbol);
        println!("{symbol}: {acknowledged} acknowledged, {counted} counted after the restart");
        // The last request may have been stored although its response was lost.
        assert!(counted >= acknowledged && counted <= acknowledged + 10);
        assert_eq!(counted % 10, 0, "a request is stored whole");
        all += counted;
    }
    standalone.terminate().success();
    verify(&data, all);
}
