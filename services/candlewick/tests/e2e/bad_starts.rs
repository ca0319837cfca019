//! Starts that have to fail: each reports why, exits non-zero, and changes nothing.

use std::path::Path;

use serde_json::{Value, json};
use sqlx::{Connection, Executor, SqliteConnection};

use crate::support::{
    Finished, TestClient, TestProcess, candlewick, counted_trades, verify, wait_settled,
};

/// Starts a process that has to fail; returns its output.
fn refused(data: &Path, listen: &str, options: &[&str]) -> String {
    let finished = TestProcess::spawn(candlewick(&[]), data, listen, options).wait_end();
    assert_ne!(finished.code, Some(0), "{}", finished.text);
    assert!(finished.code.is_some(), "it was killed: {}", finished.text);
    println!("exit {}: {}", finished.code.unwrap(), finished.text);
    finished.text
}

fn send(client: &TestClient, ids: std::ops::Range<u64>) {
    let trades: Vec<Value> = ids
        .map(|id| {
            let time = 1_714_557_600_000_000_000 + id * 1_000_000_000;
            json!({"venue": "v", "symbol": "X", "id": id, "time": time, "price": "1.5"})
        })
        .collect();
    client.send_trades(&trades);
}

/// Fills a data folder with a hundred trades.
fn filled(data: &Path) {
    let standalone = TestProcess::start(data);
    let client = standalone.client();
    send(&client, 0..100);
    wait_settled(&client, 100, 0);
    standalone.terminate().success();
}

#[test]
fn a_data_folder_that_is_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::write(&data, "mine").unwrap();
    let said = refused(&data, "127.0.0.1:0", &[]);
    assert!(said.contains(data.to_str().unwrap()), "{said}");
    assert_eq!(std::fs::read(&data).unwrap(), b"mine");
}

#[test]
fn a_data_folder_with_files_of_something_else() {
    for name in ["trades.redb", "bars.sqlite", "ticks.sqlite"] {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        filled(&data);
        let file = data.join(name);
        std::fs::write(
            &file,
            "mine, and long enough to be taken for a header".repeat(100),
        )
        .unwrap();
        let said = refused(&data, "127.0.0.1:0", &[]);
        assert!(said.contains(file.to_str().unwrap()), "{said}");
        assert!(std::fs::read(&file).unwrap().starts_with(b"mine"));
    }
}

#[test]
fn a_data_folder_with_an_empty_log() {
    for (name, remedy) in [
        ("trades.redb", "restore it from a backup"),
        ("dead-letters.redb", "move it away"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        filled(&data);
        let file = data.join(name);
        std::fs::write(&file, "").unwrap();
        let said = refused(&data, "127.0.0.1:0", &[]);
        assert!(said.contains(file.to_str().unwrap()), "{said}");
        assert!(said.contains("empty (0 bytes)"), "{said}");
        assert!(said.contains(remedy), "{said}");
        if name == "dead-letters.redb" {
            std::fs::remove_file(&file).unwrap();
            let standalone = TestProcess::start(&data);
            assert_eq!(counted_trades(&standalone.client(), "v", "X"), 100);
            standalone.terminate().success();
        }
    }
}

#[test]
fn a_flipped_bit_of_the_log_is_named_and_not_folded() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    filled(&data);
    let log = data.join("trades.redb");
    let mut bytes = std::fs::read(&log).unwrap();
    // The key is followed by the trades. Pages that are free hold it too, so each is changed.
    let places: Vec<usize> = bytes
        .windows(3)
        .enumerate()
        .filter_map(|(place, found)| (found == b"v:X").then_some(place))
        .collect();
    assert!(!places.is_empty());
    for place in places {
        bytes[place + 20] ^= 1;
    }
    std::fs::write(&log, bytes).unwrap();
    for name in ["bars.sqlite", "ticks.sqlite"] {
        for suffix in ["", "-wal", "-shm"] {
            // The process has removed those of the write-ahead log.
            let _ = std::fs::remove_file(data.join(format!("{name}{suffix}")));
        }
    }
    let said = refused(&data, "127.0.0.1:0", &[]);
    assert!(said.contains(log.to_str().unwrap()), "{said}");
    assert!(
        said.contains("of partition ") && said.contains("offset "),
        "{said}"
    );
    assert!(said.contains("their checksum does not match"), "{said}");
}

#[test]
fn a_data_folder_of_a_newer_version() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    filled(&data);
    let log = data.join("trades.redb");
    let files = ["bars.sqlite", "ticks.sqlite"].map(|name| data.join(name));
    for file in &files {
        let before = set_version(file, 999);
        let said = refused(&data, "127.0.0.1:0", &[]);
        assert!(said.contains(file.to_str().unwrap()), "{said}");
        assert!(said.contains("999") && said.contains("newer"), "{said}");
        set_version(file, before);
    }
    let before = set_format(&log, 99);
    let said = refused(&data, "127.0.0.1:0", &[]);
    assert!(said.contains(log.to_str().unwrap()), "{said}");
    assert!(said.contains("99") && said.contains("newer"), "{said}");
    set_format(&log, before);

    // The folder is unchanged: it opens once its version is restored.
    let standalone = TestProcess::start(&data);
    assert_eq!(counted_trades(&standalone.client(), "v", "X"), 100);
    standalone.terminate().success();
    verify(&data, 100);
}

/// Sets the version of the tables of a database; returns the previous one.
fn set_version(file: &Path, version: i64) -> i64 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let url = format!("sqlite://{}", file.display());
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        let before: i64 = sqlx::query_scalar("PRAGMA user_version")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        let sql = sqlx::AssertSqlSafe(format!("PRAGMA user_version = {version}"));
        connection.execute(sqlx::raw_sql(sql)).await.unwrap();
        connection.close().await.unwrap();
        before
    })
}

/// Sets the format of a log; returns the previous one.
fn set_format(file: &Path, format: u128) -> u128 {
    let meta = redb::TableDefinition::<&str, u128>::new("meta");
    let database = redb::Database::open(file).unwrap();
    let transaction = database.begin_write().unwrap();
    let mut table = transaction.open_table(meta).unwrap();
    let before = table.insert("format", format).unwrap().unwrap().value();
    drop(table);
    transaction.commit().unwrap();
    before
}

#[test]
fn a_second_process_on_the_same_folder_and_one_on_the_same_port() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let standalone = TestProcess::start(&data);
    let client = standalone.client();
    send(&client, 0..100);

    let said = refused(&data, "127.0.0.1:0", &[]);
    assert!(said.contains(data.to_str().unwrap()), "{said}");
    assert!(said.contains("another process"), "{said}");

    let address = standalone.address().to_string();
    let other = folder.path().join("other");
    let said = refused(&other, &address, &[]);
    assert!(
        said.contains(&address) && said.contains("--listen"),
        "{said}"
    );
    assert!(!other.exists(), "nothing is made where it cannot start");

    // The first process still works.
    send(&client, 100..200);
    wait_settled(&client, 200, 0);
    assert_eq!(counted_trades(&client, "v", "X"), 200);
    verify(&data, 200);
    standalone.terminate().success();
}

#[test]
fn everything_that_is_wrong_with_a_configuration_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("candlewick.toml");
    std::fs::write(&file, "partitions = \"four\"\nsymbol = \"A\"\nrate = -1\n").unwrap();
    let options = [
        "--feed",
        "real",
        "--log-max-age",
        "soon",
        "--log-format",
        "xml",
        "--symbols",
        "A  B",
        "--config",
        file.to_str().unwrap(),
    ];
    let mut command = candlewick(&["standalone", "--listen", "nowhere"]);
    command.arg("--data").arg(folder.path().join("data"));
    command.args(options).env("CANDLEWICK_SEED", "many");
    let finished = Finished::of(&mut command);
    println!("exit {:?}: {}", finished.code, finished.text);
    assert_eq!(finished.code, Some(64), "{}", finished.text);
    let faults = [
        "--listen",
        "--feed",
        "--log-max-age",
        "--log-format",
        "--symbols",
        "CANDLEWICK_SEED",
        "partitions",
        "symbol in",
        "rate",
    ];
    for fault in faults {
        assert!(finished.text.contains(fault), "{fault}: {}", finished.text);
    }
    assert!(
        finished.text.contains("9 configuration errors"),
        "{}",
        finished.text
    );
    assert!(!folder.path().join("data").exists());

    let unknown = Finished::of(&mut candlewick(&["standalone", "--dta", "x"]));
    assert_eq!(unknown.code, Some(64), "{}", unknown.text);
    assert!(unknown.text.contains("--data"), "{}", unknown.text);
}
