//! Bad tapes: the error names file and line, the other lines are sent, and the exit status is 1.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::support::{
    Finished, TestProcess, counted_trades, eventually, replay, trades, verify, wait_settled,
};

/// A line of an archive in Binance's columns.
fn line(id: u64) -> String {
    // The lines vary, so that the compressed data is long enough to be damaged.
    let price = id * 7_919 % 1_000 + 1;
    let time_us = 1_714_557_600_000_000 + id * 1_000;
    format!("{id},{price}.25,3,{price},{time_us},False,True")
}

fn lines(count: u64) -> Vec<String> {
    (1..=count).map(line).collect()
}

fn write(path: &Path, lines: &[String]) {
    std::fs::write(path, lines.join("\n") + "\n").unwrap();
}

fn write_zip(path: &Path, lines: &[String]) {
    let mut archive = ZipWriter::new(File::create(path).unwrap());
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    archive.start_file("tape.csv", options).unwrap();
    archive.write_all(lines.join("\n").as_bytes()).unwrap();
    archive.finish().unwrap();
}

/// Starts a process and replays tapes into it; returns the process and the finished replay.
fn send(folder: &Path, tapes: &[PathBuf]) -> (TestProcess, Finished) {
    let standalone = TestProcess::start(&folder.join("data"));
    let mut command = replay(&standalone, folder, "v", tapes, &[]);
    let finished = Finished::of(&mut command);
    (standalone, finished)
}

#[test]
fn lines_that_are_cut_or_lie_are_named_and_the_others_sent() {
    let folder = tempfile::tempdir().unwrap();
    let mut lines = lines(100);
    let bad = [
        (10, "10,1.5"),
        (20, "20,1.5,2,3,yesterday,False,True"),
        (30, "30,1.5,-2,3,1714557600030000,False,True"),
        (40, "40,one,2,3,1714557600040000,False,True"),
        (50, "50,1.5,2,3,1714557600050000,Maybe,True"),
        (60, "60,1.5,2,3,1714557600060000,False,True,more"),
        (70, "\"70,1.5,2,3,1714557600070000,False,True"),
        (
            80,
            "80,1.2345678901234567890,2,3,1714557600080000,False,True",
        ),
        // This line can be read, and the process rejects its trade.
        (90, "90,-1.5,2,3,1714557600090000,False,True"),
    ];
    for (number, text) in bad {
        lines[number - 1] = text.to_owned();
    }
    let tape = folder.path().join("X-trades-1.csv");
    write(&tape, &lines);
    let (standalone, finished) = send(folder.path(), &[tape]);
    assert_eq!(finished.code, Some(1), "{}", finished.text);
    for (number, _) in bad {
        let named = format!("X-trades-1.csv:{number}: ");
        assert!(finished.text.contains(&named), "{named}: {}", finished.text);
    }
    let client = standalone.client();
    wait_settled(&client, 91, 0);
    let ids: Vec<_> = trades(&client, "v", "X")
        .iter()
        .map(|trade| trade["id"].as_str().unwrap().parse::<u64>().unwrap())
        .collect();
    let is_bad = |id: &u64| bad.iter().any(|(number, _)| *number as u64 == *id);
    let expected: Vec<_> = (1..=100).filter(|id| !is_bad(id)).collect();
    assert_eq!(ids, expected);
    println!("{}", finished.text);
    verify(&folder.path().join("data"), 91);
    standalone.terminate().success();
}

#[test]
fn a_zip_that_is_cut_or_damaged_is_named_and_the_other_tapes_sent() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    write(&path("GOOD-trades-1.csv"), &lines(1_000));
    write_zip(&path("CUT-trades-1.zip"), &lines(1_000));
    let bytes = std::fs::read(path("CUT-trades-1.zip")).unwrap();
    std::fs::write(path("CUT-trades-1.zip"), &bytes[..bytes.len() / 2]).unwrap();
    // Damages a bit in the middle of the compressed data.
    let mut bytes = bytes;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    std::fs::write(path("BIT-trades-1.zip"), &bytes).unwrap();
    std::fs::write(path("NOZIP-trades-1.zip"), b"PK\x03\x04nonsense").unwrap();
    let names = [
        "GOOD-trades-1.csv",
        "CUT-trades-1.zip",
        "BIT-trades-1.zip",
        "NOZIP-trades-1.zip",
    ];
    let (standalone, finished) = send(folder.path(), &names.map(path));
    assert_eq!(finished.code, Some(1), "{}", finished.text);
    for name in &names[1..] {
        let fault = finished
            .text
            .lines()
            .find(|line| line.starts_with("not a trade: ") && line.contains(name));
        let fault = fault.unwrap_or_else(|| panic!("{name}: {}", finished.text));
        assert!(fault.contains("damaged"), "{fault}");
    }
    let client = standalone.client();
    wait_settled(&client, 1_000, 0);
    assert_eq!(counted_trades(&client, "v", "GOOD"), 1_000);
    for symbol in ["CUT", "NOZIP"] {
        assert_eq!(counted_trades(&client, "v", symbol), 0, "{symbol}");
    }
    println!("{}", finished.text);
    verify(&folder.path().join("data"), 1_000);
    standalone.terminate().success();
}

/// Damage beyond the read-ahead yields lines of nonsense before it is detected. The report names
/// the damage first, however many bad lines there are.
#[test]
fn a_zip_that_is_damaged_far_in_is_named_as_such() {
    const LINES: u64 = 60_000;
    let folder = tempfile::tempdir().unwrap();
    let tape = folder.path().join("BIT-trades-1.zip");
    write_zip(&tape, &lines(LINES));
    let mut bytes = std::fs::read(&tape).unwrap();
    let far = bytes.len() * 3 / 4;
    bytes[far] ^= 0x10;
    std::fs::write(&tape, &bytes).unwrap();
    let (standalone, finished) = send(folder.path(), &[tape]);
    assert_eq!(finished.code, Some(1), "{}", finished.text);
    let mut faults = finished
        .text
        .lines()
        .filter(|line| line.starts_with("not a trade: "));
    let first = faults.next().unwrap();
    println!("{first}");
    assert!(
        first.starts_with("not a trade: BIT-trades-1.zip:"),
        "{first}"
    );
    assert!(
        first.contains("is lost with all after it: the zip is damaged"),
        "{first}"
    );
    eventually("some of it is sent", &true, || {
        counted_trades(&standalone.client(), "v", "BIT") > LINES / 2
    });
    standalone.terminate().success();
}

#[test]
fn a_tape_that_is_not_there_is_named_and_nothing_sent() {
    let folder = tempfile::tempdir().unwrap();
    let good = folder.path().join("GOOD-trades-1.csv");
    write(&good, &lines(10));
    let missing = folder.path().join("NONE-trades-1.csv");
    let (standalone, finished) = send(folder.path(), &[good, missing]);
    assert_eq!(finished.code, Some(1), "{}", finished.text);
    let text = &finished.text;
    assert!(
        text.contains("NONE-trades-1.csv") && text.contains("nothing was sent"),
        "{text}"
    );
    assert_eq!(
        standalone.client().get_all_pages("/api/v1/symbols").len(),
        0
    );
    standalone.terminate().success();
}
