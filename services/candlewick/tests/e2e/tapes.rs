//! The four tapes, replayed together, and a second time.

use serde_json::Value;

use crate::support::{
    Finished, INTERVALS, SYMBOLS, TRADES, TestProcess, assert_equal, bars, expected, replay,
    tables, tapes, verify, wait_settled,
};

#[test]
fn the_bars_of_the_tapes_are_those_expected_also_when_they_are_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let standalone = TestProcess::start(&data);
    let client = standalone.client();
    let files = tapes(&SYMBOLS);
    let send = || {
        let mut command = replay(&standalone, folder.path(), "us", &files, &[]);
        let output = Finished::of(&mut command).success();
        assert!(output.contains("654,140 trades in"), "{output}");
    };

    send();
    wait_settled(&client, TRADES, 0);
    let expected = expected("us", &SYMBOLS);
    assert_equal("the tapes", &expected, &tables(&client, &expected));
    let before = whole(&standalone);

    send();
    wait_settled(&client, TRADES, TRADES);
    let again = tables(&client, &expected);
    assert_equal("the tapes sent twice", &expected, &again);
    assert_unchanged(&before, &whole(&standalone));

    let metrics = client.metrics();
    let late = metrics["candlewick_aggregator_late_trades_total"];
    let duplicates = metrics["candlewick_aggregator_duplicates_total"];
    println!("the tapes sent twice: {duplicates} duplicates, {late} late");
    verify(&data, TRADES);
    standalone.terminate().success();
    verify(&data, TRADES);
}

/// Reads every bar over REST, with all fields.
fn whole(standalone: &TestProcess) -> Vec<Value> {
    let client = standalone.client();
    let series = SYMBOLS
        .iter()
        .flat_map(|symbol| INTERVALS.map(|interval| (symbol, interval)));
    series
        .flat_map(|(symbol, interval)| bars(&client, "us", symbol, interval))
        .collect()
}

/// Asserts that nothing has changed, except that windows at the end may have closed.
fn assert_unchanged(before: &[Value], after: &[Value]) {
    assert_eq!(before.len(), after.len());
    let mut closed = 0;
    for (before, after) in before.iter().zip(after) {
        if before["closed"] == false && after["closed"] == true {
            closed += 1;
            let mut after = after.clone();
            after["closed"] = false.into();
            after["through"] = before["through"].clone();
            assert_eq!(*before, after);
        } else {
            assert_eq!(before, after);
        }
        assert_eq!(after["revision"], 0, "{after}");
    }
    println!("{} bars unchanged, {closed} closed since", before.len());
}
