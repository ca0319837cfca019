//! Tests that are specific to files.

use std::path::{Path, PathBuf};
use std::time::Duration;

use candlewick_store::{
    BarKey, BarReader, BarStore, CommitOutcome, SqliteBarStore, SqliteTickStore, StoreError,
    TickStore,
};
use futures_util::FutureExt;
use market::Interval;
use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;

use crate::fixtures::{bar, block, commit_step, instrument, step, symbol, tick};

pub(crate) async fn bar_store() -> (TempDir, SqliteBarStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteBarStore::open(folder.path().join("bars.sqlite")).await;
    (folder, store.unwrap())
}

pub(crate) async fn tick_store() -> (TempDir, SqliteTickStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteTickStore::open(folder.path().join("ticks.sqlite")).await;
    (folder, store.unwrap())
}

/// Runs SQL on a file without its store.
async fn run_sql(path: &Path, sql: &'static str) {
    let url = format!("sqlite://{}?mode=rwc", path.display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

fn is_named(path: &Path, error: &StoreError) -> bool {
    error.to_string().contains(&path.display().to_string())
}

#[tokio::test]
async fn a_file_keeps_what_was_committed() {
    let (folder, store) = bar_store().await;
    commit_step(&store, step(0, 0, 4)).await;
    drop(store);
    let store = SqliteBarStore::open(folder.path().join("bars.sqlite"))
        .await
        .unwrap();
    assert_eq!(
        store.all_partition_progress().await.unwrap(),
        [step(0, 0, 4).progress]
    );
}

#[tokio::test]
async fn an_older_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let [bars, ticks] = ["bars.sqlite", "ticks.sqlite"].map(|name| folder.path().join(name));
    drop(SqliteBarStore::open(&bars).await.unwrap());
    drop(SqliteTickStore::open(&ticks).await.unwrap());
    run_sql(&bars, "PRAGMA user_version = 5").await;
    run_sql(&ticks, "PRAGMA user_version = 3").await;
    let refused = [
        (&bars, (5, 6), SqliteBarStore::open(&bars).await.err()),
        (
            &bars,
            (5, 6),
            SqliteBarStore::open_read_only(&bars).await.err(),
        ),
        (&ticks, (3, 4), SqliteTickStore::open(&ticks).await.err()),
    ];
    for (path, versions, error) in refused {
        let error = error.unwrap();
        assert!(
            matches!(error, StoreError::OlderSchema { found, oldest, .. } if (found, oldest) == versions),
            "{error}"
        );
        assert!(is_named(path, &error), "{error}");
        let text = error.to_string();
        assert!(text.contains("delete the data folder"), "{text}");
    }
}

#[tokio::test]
async fn a_newer_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.sqlite");
    drop(SqliteBarStore::open(&path).await.unwrap());
    run_sql(&path, "PRAGMA user_version = 99").await;
    for opened in [
        SqliteBarStore::open(&path).await,
        SqliteBarStore::open_read_only(&path).await,
    ] {
        let error = opened.err().unwrap();
        assert!(matches!(
            error,
            StoreError::NewerSchema {
                found: 99,
                known: 6,
                ..
            }
        ));
        assert!(is_named(&path, &error));
    }
}

#[tokio::test]
async fn a_file_of_something_else_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text");
    std::fs::write(
        &text,
        "not a database, and long enough to be read as one ".repeat(40),
    )
    .unwrap();
    let foreign = folder.path().join("foreign");
    run_sql(&foreign, "CREATE TABLE something (else_ TEXT)").await;
    let bars = folder.path().join("bars");
    drop(SqliteBarStore::open(&bars).await.unwrap());
    for path in [&text, &foreign, &bars] {
        let error = SqliteTickStore::open(path).await.err().unwrap();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
        assert!(is_named(path, &error), "{error}");
    }
}

#[tokio::test]
async fn a_path_that_cannot_be_written_to_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut paths = vec![folder.path().join("missing/bars"), folder.path().to_owned()];
    if cfg!(target_os = "linux") {
        // Permissions do not stop root, but this path does.
        paths.push(PathBuf::from("/proc/bars"));
    }
    for path in paths {
        let error = SqliteBarStore::open(&path).await.err().unwrap();
        assert!(error.is_transient() && is_named(&path, &error), "{error}");
    }
    let missing = folder.path().join("bars");
    let error = SqliteBarStore::open_read_only(&missing)
        .await
        .err()
        .unwrap();
    assert!(is_named(&missing, &error) && !missing.exists(), "{error}");
}

#[tokio::test]
async fn a_reader_beside_the_owner_sees_its_commits() {
    let (folder, store) = bar_store().await;
    commit_step(&store, step(0, 0, 1)).await;
    let reader = SqliteBarStore::open_read_only(folder.path().join("bars.sqlite"))
        .await
        .unwrap();
    assert_eq!(
        reader.all_partition_progress().await.unwrap(),
        [step(0, 0, 1).progress]
    );
    let snapshot = reader.snapshot().await.unwrap();
    commit_step(&store, step(0, 1, 2)).await;
    assert_eq!(
        reader.all_partition_progress().await.unwrap(),
        [step(0, 1, 2).progress]
    );
    assert_eq!(
        snapshot.all_partition_progress().await.unwrap(),
        [step(0, 0, 1).progress]
    );
    let error = reader.commit(&step(0, 2, 3)).await.unwrap_err();
    assert!(error.to_string().contains("for reading only"));
}

#[tokio::test]
async fn a_file_belongs_to_one_log() {
    let (folder, store) = bar_store().await;
    assert_eq!(store.log_partition_count().await.unwrap(), None);
    store.bind_log("one", 3).await.unwrap();
    store.bind_log("one", 3).await.unwrap();
    drop(store);
    let path = folder.path().join("bars.sqlite");
    let store = SqliteBarStore::open(&path).await.unwrap();
    let error = store.bind_log("two", 5).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }));
    assert!(
        error
            .to_string()
            .contains("belongs to another log (one, this one is two)")
    );
    store.bind_log("one", 3).await.unwrap();
    let reader = SqliteBarStore::open_read_only(&path).await.unwrap();
    assert_eq!(reader.log_partition_count().await.unwrap(), Some(3));
    let ticks = SqliteTickStore::open(folder.path().join("ticks.sqlite"))
        .await
        .unwrap();
    ticks.bind_log("one").await.unwrap();
    let error = ticks.bind_log("two").await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }));
}

#[tokio::test]
async fn a_damaged_row_is_an_error() {
    let (folder, store) = bar_store().await;
    let path = folder.path().join("bars.sqlite");
    let btc = instrument("binance:BTCUSDT");
    let written = bar(&btc, Interval::M1, 0, 1, false);
    let key = BarKey {
        instrument: btc,
        window: written.row.window,
    };
    let mut transaction = step(0, 0, 1);
    transaction.bars = vec![written];
    transaction.symbols = vec![symbol("a:b", 0)];
    commit_step(&store, transaction).await;
    for damage in [
        "UPDATE open_bars SET body = x'00'",
        "UPDATE open_bars SET body = x''",
        "UPDATE open_bars SET start_ns = 60000000000",
        "UPDATE symbols SET instrument = 'nothing'",
        "DROP TABLE open_bars",
    ] {
        run_sql(&path, damage).await;
        let error = store.load_or_create_partition(0, 1).await.unwrap_err();
        assert!(
            matches!(error, StoreError::Corrupt { .. }),
            "{damage}: {error}"
        );
    }
    let error = store.bars(&[key]).await.unwrap_err();
    assert!(!error.is_transient() && is_named(&path, &error), "{error}");

    let (folder, store) = tick_store().await;
    store
        .insert(&[block(0, 0, 0, vec![tick(1, 1), tick(2, 1)])])
        .await
        .unwrap();
    for damage in [
        "UPDATE tick_blocks SET tick_count = 3",
        "UPDATE tick_blocks SET tick_count = 2, last_offset = first_offset",
        "UPDATE tick_blocks SET body = x'01ffffffff'",
        "UPDATE tick_blocks SET body = zeroblob(100)",
    ] {
        run_sql(&folder.path().join("ticks.sqlite"), damage).await;
        let error = store
            .read(&instrument("binance:BTCUSDT"), 0, 9)
            .await
            .unwrap_err();
        assert!(
            matches!(error, StoreError::Corrupt { .. }),
            "{damage}: {error}"
        );
    }
}

#[tokio::test]
async fn a_transaction_that_fails_at_its_end_writes_nothing() {
    let (folder, store) = bar_store().await;
    let path = folder.path().join("bars.sqlite");
    store.load_or_create_partition(0, 1).await.unwrap();
    let mut transaction = step(0, 0, 1);
    transaction.symbols = vec![symbol("a:a", 0), symbol("a:b", 0)];
    transaction.bars = vec![bar(&instrument("a:a"), Interval::M1, 0, 1, false)];
    run_sql(
        &path,
        "CREATE TRIGGER breaks BEFORE INSERT ON symbols WHEN new.instrument = 'a:b' \
         BEGIN SELECT raise(ROLLBACK, 'broken'); END",
    )
    .await;
    let error = store.commit(&transaction).await.unwrap_err();
    assert!(error.to_string().contains("broken"), "{error}");
    let state = store.load_or_create_partition(0, 1).await.unwrap();
    assert_eq!((state.progress.next_offset, state.open_bars.len()), (0, 0));
    run_sql(&path, "DROP TRIGGER breaks").await;
    assert_eq!(
        store.commit(&transaction).await.unwrap(),
        CommitOutcome::Committed
    );
}

/// A commit that is dropped at any point is written completely or not at all, and the next one
/// works.
#[tokio::test]
async fn a_dropped_commit_is_complete_or_not_written() {
    let (_folder, store) = bar_store().await;
    let traded = instrument("a:a");
    store.load_or_create_partition(0, 1).await.unwrap();
    let mut from = 0;
    for polls in 0..60 {
        let mut transaction = step(0, from, from + 1);
        for place in 0..100 {
            transaction
                .bars
                .push(bar(&traded, Interval::M1, place, from + 1, false));
        }
        let mut committing = Box::pin(store.commit(&transaction));
        for _ in 0..polls {
            if (&mut committing).now_or_never().is_some() {
                break;
            }
            std::thread::sleep(Duration::from_micros(50));
            tokio::task::yield_now().await;
        }
        drop(committing);
        let state = store.load_or_create_partition(0, 1).await.unwrap();
        from = state.progress.next_offset;
        let written = state.open_bars.iter().map(|bar| bar.row.through.offset);
        assert!(written.clone().all(|offset| offset == from));
        assert_eq!(written.count(), if from > 0 { 100 } else { 0 });
    }
    let outcome = store.commit(&step(0, from, from + 1)).await.unwrap();
    assert_eq!(outcome, CommitOutcome::Committed);
}

/// Fills a small file system, frees space, and continues:
/// `mount -t tmpfs -o size=4m none /mnt/small`, `SMALL_DISK=/mnt/small cargo test -- --ignored`.
#[tokio::test]
#[ignore = "needs a small file system, named by SMALL_DISK"]
async fn commits_work_again_after_a_full_disk() {
    let folder = PathBuf::from(std::env::var("SMALL_DISK").unwrap());
    let store = SqliteBarStore::open(folder.join("bars.sqlite"))
        .await
        .unwrap();
    let ballast = folder.join("ballast");
    std::fs::write(&ballast, vec![1; 3 << 20]).unwrap();
    let traded = instrument("a:a");
    let mut from = store
        .load_or_create_partition(0, 1)
        .await
        .unwrap()
        .progress
        .next_offset;
    let mut full = 0;
    while full < 3 {
        let mut transaction = step(0, from, from + 1);
        for place in 0..1_000 {
            let start_ns = place + 1_000 * i64::try_from(from).unwrap();
            transaction
                .bars
                .push(bar(&traded, Interval::M1, start_ns, 1, true));
        }
        match store.commit(&transaction).await {
            Ok(outcome) => {
                assert_eq!((outcome, full), (CommitOutcome::Committed, 0));
                from += 1;
            }
            Err(error) => {
                assert!(
                    error.is_transient() && error.to_string().contains("full"),
                    "{error}"
                );
                full += 1;
            }
        }
        assert_eq!(
            store.all_partition_progress().await.unwrap()[0].next_offset,
            from
        );
    }
    std::fs::remove_file(&ballast).unwrap();
    let outcome = store.commit(&step(0, from, from + 1)).await.unwrap();
    assert_eq!(outcome, CommitOutcome::Committed);
    store.sync().await.unwrap();
}
