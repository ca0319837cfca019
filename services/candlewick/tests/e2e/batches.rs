//! The tapes in batches of other sizes.

use crate::support::{
    Finished, INTERVALS, SYMBOLS, Standalone, TRADES, assert_equal, expected, replay, settle,
    tables, tapes, verify,
};

/// Sends all four tapes, and compares every bar.
fn compare(batch: &str, connections: &str) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let standalone = Standalone::start(&data);
    let client = standalone.client();
    let options = ["--batch", batch, "--connections", connections];
    let files = tapes(&SYMBOLS);
    let mut command = replay(&standalone, folder.path(), "us", &files, &options);
    let told = Finished::of(&mut command).success();
    let figure = told.lines().find(|line| line.contains("trades in"));
    println!("batches of {batch}: {}", figure.unwrap());
    settle(&client, TRADES, 0);
    let actual = tables(&client, &["us"], &INTERVALS);
    let what = format!("batches of {batch} on {connections} connections");
    assert_equal(&what, &expected("us", &SYMBOLS), &actual);
    println!("verify: {}", verify(&data));
    standalone.terminate().success();
}

#[test]
fn the_bars_of_the_tapes_are_the_same_in_batches_of_one() {
    compare("1", "64");
}

#[test]
fn the_bars_of_the_tapes_are_the_same_in_batches_of_seven() {
    compare("7", "16");
}

#[test]
fn the_bars_of_the_tapes_are_the_same_in_batches_of_ten_thousand() {
    compare("10000", "1");
}
