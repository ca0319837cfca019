//! Tests of two owners of a partition, of owners that are cancelled or frozen, and of servers that
//! end a session.

use std::time::Duration;

use candlewick_store::{
    BarKey, BarReader, BarStore, CommitOutcome, PartitionTransaction, StoreError, TimescaleBarStore,
};
use futures_util::FutureExt;
use market::Interval;

use super::database::{Database, bar_store};
use crate::fixtures::{bar, commit_step, instrument, step, symbol};

/// Returns a transaction with a hundred open bars, all with the same position.
fn transaction_of_100_bars(from: u64) -> PartitionTransaction {
    let traded = instrument("a:a");
    let mut transaction = step(0, from, from + 1);
    for minute in 0..100 {
        let start_ns = minute * market::MINUTE_NS;
        let open = bar(&traded, Interval::M1, start_ns, from + 1, false);
        transaction.bars.push(open);
    }
    transaction.symbols = vec![symbol("a:a", 1)];
    transaction
}

/// Asserts that the open bars are those of the last commit, and returns its offset.
async fn assert_last_commit_is_whole(store: &TimescaleBarStore) -> u64 {
    let state = store.load_or_create_partition(0, 1).await.unwrap();
    let committed = state.progress.next_offset;
    let written = state.open_bars.iter().map(|bar| bar.row.through.offset);
    assert!(written.clone().all(|offset| offset == committed));
    assert_eq!(written.count(), if committed > 0 { 100 } else { 0 });
    committed
}

/// Polls a future up to `polls` times. Returns whether it has completed.
async fn poll_up_to(future: &mut (impl Future + Unpin), polls: u32) -> bool {
    for _ in 0..polls {
        if future.now_or_never().is_some() {
            return true;
        }
        std::thread::sleep(Duration::from_micros(300));
        tokio::task::yield_now().await;
    }
    false
}

/// A commit that is dropped at any point is stored whole or not at all, and the next one succeeds.
#[tokio::test]
async fn a_commit_that_is_dropped_is_whole_or_nothing() {
    let (_kept, store) = bar_store().await;
    store.load_or_create_partition(0, 1).await.unwrap();
    let (mut from, mut completed, mut stored) = (0, 0, 0);
    for polls in 0..60 {
        let transaction = transaction_of_100_bars(from);
        let mut committing = Box::pin(store.commit(&transaction));
        completed += u32::from(poll_up_to(&mut committing, polls).await);
        drop(committing);
        let now = assert_last_commit_is_whole(&store).await;
        stored += u32::from(now > from);
        from = now;
    }
    assert!(
        (1..60).contains(&completed) && stored > 0,
        "{completed} {stored}"
    );
    // A commit that was dropped during its COMMIT may have succeeded since.
    let from = assert_last_commit_is_whole(&store).await;
    let outcome = store.commit(&transaction_of_100_bars(from)).await.unwrap();
    assert_eq!(outcome, CommitOutcome::Committed);
    assert_eq!(assert_last_commit_is_whole(&store).await, from + 1);
}

/// A worker that is frozen at any point of a commit, with its connection open, makes its successor
/// wait no longer than the server lets a transaction be idle.
#[tokio::test]
async fn a_frozen_worker_does_not_hold_its_partition() {
    let database = Database::migrated().await;
    let mut config = database.config();
    config.idle_timeout = Duration::from_millis(300);
    config.lock_timeout = Duration::from_secs(5);
    let (frozen, successor) = (
        TimescaleBarStore::open(config.clone()).await.unwrap(),
        TimescaleBarStore::open(config).await.unwrap(),
    );
    frozen.load_or_create_partition(0, 1).await.unwrap();
    let mut from = 0;
    for polls in (0..24).map(|round| round * 2) {
        let transaction = transaction_of_100_bars(from);
        let mut committing = Box::pin(frozen.commit(&transaction));
        let is_completed = poll_up_to(&mut committing, polls).await;
        let outcome = successor.commit(&transaction).await.unwrap();
        // If the frozen worker had sent its COMMIT, its transaction is stored.
        assert!(
            outcome == CommitOutcome::Committed || polls > 0,
            "{is_completed}"
        );
        assert!(!is_completed || outcome == CommitOutcome::Conflict);
        from = assert_last_commit_is_whole(&successor).await;
        assert_eq!(from, transaction.progress.next_offset);
        if !is_completed {
            // When it continues, it cannot undo what its successor did.
            match committing.await {
                Ok(CommitOutcome::Committed) => assert_eq!(outcome, CommitOutcome::Conflict),
                Ok(CommitOutcome::Conflict) => {}
                Err(error) => assert!(error.is_transient(), "{error}"),
            }
            assert_eq!(assert_last_commit_is_whole(&successor).await, from);
        }
    }
}

#[tokio::test]
async fn a_session_that_the_server_ends_is_replaced() {
    let (database, store) = bar_store().await;
    commit_step(&store, step(0, 0, 1)).await;
    assert_eq!(store.all_partition_progress().await.unwrap().len(), 1);
    let snapshot = store.snapshot().await.unwrap();
    database
        .run_sql(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid() \
             AND application_name = 'candlewick'",
        )
        .await;
    let error = snapshot.all_partition_progress().await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    let error = snapshot.all_partition_progress().await.unwrap_err();
    assert!(error.to_string().contains("the snapshot ended"), "{error}");
    // The first call on a dead connection fails, and closes the other dead ones.
    let error = store.commit(&step(0, 1, 2)).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert_eq!(
        store.commit(&step(0, 1, 2)).await.unwrap(),
        CommitOutcome::Committed
    );
    let error = store.all_partition_progress().await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert_eq!(
        store.all_partition_progress().await.unwrap(),
        [step(0, 1, 2).progress]
    );
}

#[tokio::test]
async fn a_snapshot_that_is_not_used_ends() {
    let database = Database::migrated().await;
    let mut config = database.config();
    config.snapshot_timeout = Duration::from_millis(200);
    config.max_snapshots = 1;
    let store = TimescaleBarStore::open(config).await.unwrap();
    commit_step(&store, step(0, 0, 1)).await;
    let unused = store.snapshot().await.unwrap();
    assert_eq!(unused.all_partition_progress().await.unwrap().len(), 1);
    std::thread::sleep(Duration::from_millis(600));
    let error = unused.all_partition_progress().await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    // Its connection is free once it is dropped.
    assert!(store.snapshot().now_or_never().is_none());
    drop(unused);
    let next = store.snapshot().await.unwrap();
    assert_eq!(next.all_partition_progress().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_transaction_that_fails_at_its_end_writes_nothing() {
    let (database, store) = bar_store().await;
    store.load_or_create_partition(0, 1).await.unwrap();
    let transaction = transaction_of_100_bars(0);
    database
        .run_sql("ALTER TABLE symbols ADD CONSTRAINT broken CHECK (instrument <> 'a:a')")
        .await;
    let error = store.commit(&transaction).await.unwrap_err();
    assert!(matches!(error, StoreError::DataRefused { .. }), "{error}");
    assert_eq!(assert_last_commit_is_whole(&store).await, 0);
    database
        .run_sql("ALTER TABLE symbols DROP CONSTRAINT broken")
        .await;
    assert_eq!(
        store.commit(&transaction).await.unwrap(),
        CommitOutcome::Committed
    );
    assert_eq!(assert_last_commit_is_whole(&store).await, 1);
}

#[tokio::test]
async fn a_damaged_row_is_an_error() {
    let (database, store) = bar_store().await;
    let btc = instrument("binance:BTCUSDT");
    let written = bar(&btc, Interval::M1, 0, 1, false);
    let key = BarKey {
        instrument: btc,
        window: written.row.window,
    };
    let mut transaction = step(0, 0, 1);
    transaction.bars = vec![written.clone()];
    commit_step(&store, transaction).await;
    for (damage, repair) in [
        (
            "UPDATE open_bars SET interval_s = 61",
            "UPDATE open_bars SET interval_s = 60",
        ),
        (
            "UPDATE open_bars SET high = 'NaN'",
            "UPDATE open_bars SET high = 101.5",
        ),
        (
            "UPDATE open_bars SET high = 1e30",
            "UPDATE open_bars SET high = 101.5",
        ),
        (
            "UPDATE open_bars SET close_id = ''",
            "UPDATE open_bars SET close_id = '1'",
        ),
        (
            "UPDATE open_bars SET start = 'infinity'",
            "UPDATE open_bars SET start = 'epoch'",
        ),
        (
            "ALTER TABLE open_bars RENAME TO away",
            "ALTER TABLE away RENAME TO open_bars",
        ),
    ] {
        database.run_sql(damage).await;
        let error = store.load_or_create_partition(0, 1).await.unwrap_err();
        assert!(
            matches!(error, StoreError::Corrupt { .. }),
            "{damage}: {error}"
        );
        database.run_sql(repair).await;
        let read = store.bars(std::slice::from_ref(&key)).await.unwrap();
        assert_eq!(read, [Some(written.row.clone())], "{repair}");
    }
    // A start that does not fit the column is an error.
    let mut between = step(0, 1, 2);
    between.bars = vec![bar(&key.instrument, Interval::M1, 1, 1, false)];
    let error = store.commit(&between).await.unwrap_err();
    assert!(
        error.to_string().contains("between two microseconds"),
        "{error}"
    );
}

/// A server that does not wait for its disk does so for a sync.
#[tokio::test]
async fn a_sync_waits_for_the_disk() {
    let (database, store) = bar_store().await;
    store.sync().await.unwrap();
    let mut config = database.config();
    let separator = if config.url.ends_with('?') { "" } else { "&" };
    config.url = format!("{}{separator}options[synchronous_commit]=off", config.url);
    let unsynced = TimescaleBarStore::open(config).await.unwrap();
    commit_step(&unsynced, step(0, 0, 1)).await;
    unsynced.sync().await.unwrap();
    unsynced.sync().await.unwrap();
    let counted: i64 = sqlx::query_scalar("SELECT count FROM syncs")
        .fetch_one(&mut database.session().await)
        .await
        .unwrap();
    assert_eq!(counted, 2);
}
