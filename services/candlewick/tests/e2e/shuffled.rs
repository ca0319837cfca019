//! The lines of the tapes in other orders.

use crate::support::{
    Finished, Line, SYMBOLS, TRADES, TestProcess, assert_equal, expected, lines, replay,
    shuffle_within, tables, tapes, verify, wait_settled, write_plain,
};
use fastrand::Rng;

const SEED: u64 = 10_000;
/// How many lines a line may move.
const REACH: u64 = 10_000;

#[test]
fn the_bars_of_the_tapes_do_not_depend_on_the_order_of_their_lines() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = Rng::with_seed(SEED);
    let mut moved = 0;
    let files = SYMBOLS.map(|symbol| {
        let lines = lines(symbol);
        let shuffled = shuffle_within(&mut random, lines.clone(), REACH);
        moved += lines.iter().zip(&shuffled).filter(|(a, b)| a != b).count();
        let path = folder.path().join(format!("{symbol}-trades-shuffled.csv"));
        std::fs::write(&path, shuffled.join("\n")).unwrap();
        path
    });

    let data = folder.path().join("data");
    let standalone = TestProcess::start(&data);
    let client = standalone.client();
    let mut command = replay(&standalone, folder.path(), "us", &files, &[]);
    Finished::of(&mut command).success();
    wait_settled(&client, TRADES, 0);
    let expected = expected("us", &SYMBOLS);
    assert_equal("shuffled", &expected, &tables(&client, &expected));
    let late = client.metrics()["candlewick_aggregator_late_trades_total"];
    println!("shuffled: {moved} of {TRADES} lines moved, {late} trades were late");
    assert!(late > 0.0, "the lines were hardly shuffled");
    verify(&data, TRADES);
    standalone.terminate().success();
}

/// Each line names its symbol, and the lines of the symbols alternate.
#[test]
fn the_bars_of_the_tapes_do_not_depend_on_what_is_sent_in_between() {
    let folder = tempfile::tempdir().unwrap();
    let mut turns: Vec<_> = SYMBOLS.map(|symbol| plain(symbol).into_iter()).into();
    let mut merged = Vec::new();
    while !turns.is_empty() {
        turns.retain_mut(|lines| {
            let next = lines.next();
            let has_next = next.is_some();
            merged.extend(next);
            has_next
        });
    }
    let path = folder.path().join("all.csv");
    write_plain(&path, &merged);

    let data = folder.path().join("data");
    let standalone = TestProcess::start(&data);
    let client = standalone.client();
    let mut command = replay(&standalone, folder.path(), "us", &[path], &[]);
    Finished::of(&mut command).success();
    wait_settled(&client, TRADES, 0);
    let expected = expected("us", &SYMBOLS);
    assert_equal("interleaved", &expected, &tables(&client, &expected));

    // The archives again, in another format: every trade is a duplicate.
    let options = ["--id-scheme", "unique"];
    let mut command = replay(&standalone, folder.path(), "us", &tapes(&SYMBOLS), &options);
    Finished::of(&mut command).success();
    wait_settled(&client, TRADES, TRADES);
    verify(&data, TRADES);
    standalone.terminate().success();
}

/// Converts the lines of an archive to the plain format.
fn plain(symbol: &str) -> Vec<Line> {
    let lines = lines(symbol);
    let read = |line: &String| {
        let cells: Vec<_> = line.split(',').collect();
        let [id, price, quantity, _, time_us, maker, _] = cells[..] else {
            panic!("{line}");
        };
        assert_eq!(maker, "False", "the buyer took every trade of these tapes");
        Line {
            time_ns: time_us.parse::<i64>().unwrap() * 1_000,
            price: price.to_owned(),
            quantity: quantity.to_owned(),
            id: id.to_owned(),
            symbol: symbol.to_owned(),
        }
    };
    lines.iter().map(read).collect()
}
