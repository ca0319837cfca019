//! The tapes in batches of other sizes.

use crate::support::{
    Finished, SYMBOLS, TestProcess, assert_equal, expected, lines, replay, tables, tapes, verify,
    wait_settled,
};

/// Replays tapes in batches of a size, and compares every bar.
fn compare(symbols: &[&str], batch: &str, connections: &str) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let standalone = TestProcess::start(&data);
    let client = standalone.client();
    let options = ["--batch", batch, "--connections", connections];
    let files = tapes(symbols);
    let mut command = replay(&standalone, folder.path(), "us", &files, &options);
    let output = Finished::of(&mut command).success();
    let figure = output.lines().find(|line| line.contains("trades in"));
    println!("batches of {batch}: {}", figure.unwrap());
    let sent = symbols
        .iter()
        .map(|symbol| lines(symbol).len() as u64)
        .sum();
    wait_settled(&client, sent, 0);
    let expected = expected("us", symbols);
    let what = format!("batches of {batch} on {connections} connections");
    assert_equal(&what, &expected, &tables(&client, &expected));
    verify(&data, sent);
    standalone.terminate().success();
}

/// A request for each trade takes long, so this replays the two smaller tapes; see the next test.
#[test]
fn the_bars_of_the_tapes_are_the_same_in_batches_of_one() {
    compare(&SYMBOLS[..2], "1", "32");
}

#[test]
#[ignore = "more than 650,000 requests take a minute or two: run with --ignored"]
fn the_bars_of_the_tapes_are_the_same_in_batches_of_one_for_all_four() {
    compare(&SYMBOLS, "1", "32");
}

#[test]
fn the_bars_of_the_tapes_are_the_same_in_batches_of_seven() {
    compare(&SYMBOLS, "7", "16");
}

#[test]
fn the_bars_of_the_tapes_are_the_same_in_batches_of_ten_thousand() {
    compare(&SYMBOLS, "10000", "1");
}
