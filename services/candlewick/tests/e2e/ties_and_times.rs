//! Trades of equal event time, and times in the wrong unit.

use std::path::PathBuf;

use serde_json::json;
use tempfile::TempDir;

use crate::support::{Finished, TestProcess, bars, replay, trades, verify, wait_settled};

/// A sweep: three fills within one millisecond, whose ids carry no order.
const SWEEP: &str = "\
time,price,quantity,side,id
2024-03-01T00:00:00.806Z,968.49,500,buy,f00d2886-0000-4191-8516-5600b7033650
2024-03-01T00:00:00.806Z,968.50,97,buy,b00db1fd-0000-4cf8-84bf-f70094a37b40
2024-03-01T00:00:00.806Z,968.60,10,buy,100d4a95-0000-475c-87cd-d600cd41c250
";

fn write_tape(folder: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn a_sweep_with_random_ids_has_the_order_of_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let standalone = TestProcess::start(&data);
    let client = standalone.client();
    let tape = write_tape(&folder, "XBTUSD-sweep.csv", SWEEP);
    let mut command = replay(&standalone, folder.path(), "replayed", &[tape], &[]);
    Finished::of(&mut command).success();
    client.declare_venue("by_id", &json!({"ties": "id"}));
    for venue in ["posted", "by_id"] {
        let fills: Vec<_> = SWEEP
            .lines()
            .skip(1)
            .map(|line| {
                let cells: Vec<_> = line.split(',').collect();
                json!({"venue": venue, "symbol": "XBTUSD", "time": cells[0], "price": cells[1],
                    "quantity": cells[2], "side": cells[3], "id": cells[4]})
            })
            .collect();
        client.send_trades(&fills);
    }
    wait_settled(&client, 9, 0);
    for (venue, ends) in [
        ("replayed", ["968.49", "968.6"]),
        ("posted", ["968.49", "968.6"]),
        ("by_id", ["968.6", "968.49"]),
    ] {
        for interval in ["1m", "1h", "1d"] {
            let bars = bars(&client, venue, "XBTUSD", interval);
            assert_eq!(bars.len(), 1, "{venue} {interval}");
            let found = [&bars[0]["open"], &bars[0]["close"]];
            assert_eq!(found, ends, "{venue} {interval}");
        }
        let listed = trades(&client, venue, "XBTUSD");
        let listed = [&listed[0]["price"], &listed[2]["price"]];
        assert_eq!(listed, ends, "the trades of {venue} are listed in order");
    }
    verify(&data, 9);
    standalone.terminate().success();
}

#[test]
fn a_tape_in_the_wrong_unit_is_refused_with_the_unit_that_would_be_right() {
    let folder = tempfile::tempdir().unwrap();
    let standalone = TestProcess::start(&folder.path().join("data"));
    let client = standalone.client();
    for (name, unit, times) in [
        ("S", "seconds", ["1709251200", "1709251260"]),
        ("MS", "milliseconds", ["1709251200000", "1709251260000"]),
        (
            "US",
            "microseconds",
            ["1709251200000000", "1709251260000000"],
        ),
    ] {
        let text = format!(
            "time,price,quantity\n{},10.5,2\n{},11,1\n",
            times[0], times[1]
        );
        let tape = write_tape(&folder, &format!("{name}-x.csv"), &text);
        let mut command = replay(&standalone, folder.path(), "v", &[tape], &[]);
        let finished = Finished::of(&mut command);
        assert_eq!(finished.code, Some(1), "{}", finished.text);
        let expected = format!("{name}-x.csv:2: time is before 1973");
        assert!(finished.text.contains(&expected), "{}", finished.text);
        let expected = format!("as {unit} this is 2024-03-01T00:00:00Z");
        assert!(finished.text.contains(&expected), "{}", finished.text);
        let path = format!("/api/v1/bars/v/{name}?interval=1m&start={}", times[0]);
        let problem = client.get(&path).problem(400);
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(&expected), "{problem}");
    }
    // A venue that says so has trades of 1970.
    client.declare_venue("old", &json!({"old_times": true}));
    client.send_trades(&[json!({"venue": "old", "symbol": "X", "time": 1, "price": "1"})]);
    wait_settled(&client, 1, 0);
    standalone.terminate().success();
}
