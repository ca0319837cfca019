//! Tests of what is deleted in whole chunks, and what row by row.

use std::time::Duration;

use candlewick_store::{BarQuery, BarReader, BarStore, TimescaleBarStore};
use market::{DAY_NS, Interval, MINUTE_NS};

use super::database::{Database, bar_store};
use crate::fixtures::{bar, commit_step, instrument, step};

async fn count_chunks(database: &Database) -> i64 {
    sqlx::query_scalar(
        "SELECT count(*) FROM timescaledb_information.chunks WHERE hypertable_name = 'bars'",
    )
    .fetch_one(&mut database.session().await)
    .await
    .unwrap()
}

/// Returns the starts of all minutes of the instrument.
async fn read_starts(store: &TimescaleBarStore) -> Vec<i64> {
    let query = BarQuery {
        instrument: instrument("a:a"),
        interval: Interval::M1,
        start_ns: i64::MIN,
        end_ns: i64::MAX,
        limit: u32::MAX,
        keep_newest: false,
    };
    let rows = store.bar_range(&query).await.unwrap();
    rows.iter().map(|row| row.window.start_ns).collect()
}

/// Writes closed bars, given by their start and their first append time.
async fn write_bars(store: &TimescaleBarStore, partition: u32, bars: &[(i64, u64)]) {
    let state = store.load_or_create_partition(partition, 1).await.unwrap();
    let from = state.progress.next_offset;
    let mut transaction = step(partition, from, from + 1);
    transaction.bars = bars
        .iter()
        .map(|(start_ns, append_ns)| {
            bar(
                &instrument("a:a"),
                Interval::M1,
                *start_ns,
                *append_ns,
                true,
            )
        })
        .collect();
    commit_step(store, transaction).await;
}

/// A tape of an old year that is replayed is kept as long as trades of today.
#[tokio::test]
async fn a_chunk_is_dropped_when_all_of_its_bars_have_expired() {
    let (database, store) = bar_store().await;
    let old = 16_000 * DAY_NS;
    let live = 20_000 * DAY_NS;
    write_bars(&store, 0, &[(old, 10), (old + MINUTE_NS, 11), (live, 12)]).await;
    write_bars(&store, 1, &[(old + DAY_NS, 90)]).await;
    assert_eq!(count_chunks(&database).await, 2);

    // Two bars have expired, and their chunk contains one that has not.
    assert_eq!(
        store
            .delete_expired_batch(12, i64::MIN, i64::MIN)
            .await
            .unwrap(),
        2
    );
    assert_eq!(
        store
            .delete_expired_batch(12, i64::MIN, i64::MIN)
            .await
            .unwrap(),
        0
    );
    assert_eq!(read_starts(&store).await, [old + DAY_NS, live]);
    assert_eq!(count_chunks(&database).await, 2);
    // The chunk of the later event time is the one that has expired.
    assert_eq!(
        store
            .delete_expired_batch(90, i64::MIN, i64::MIN)
            .await
            .unwrap(),
        1
    );
    assert_eq!(read_starts(&store).await, [old + DAY_NS]);
    assert_eq!(count_chunks(&database).await, 1);
    // A day that is written again after it was emptied is tracked again.
    write_bars(&store, 0, &[(live, 95)]).await;
    assert_eq!(
        store
            .delete_expired_batch(91, i64::MIN, i64::MIN)
            .await
            .unwrap(),
        1
    );
    assert_eq!(read_starts(&store).await, [live]);
    assert_eq!(
        store
            .delete_expired_batch(i64::MAX, i64::MIN, i64::MIN)
            .await
            .unwrap(),
        1
    );
    assert_eq!(count_chunks(&database).await, 0);
}

/// Rows are kept until their chunk can be dropped, which is cheaper, unless that takes too long.
#[tokio::test]
async fn bars_are_dropped_with_their_chunk() {
    let database = Database::migrated().await;
    let mut config = database.config();
    config.chunk_slack = Duration::from_nanos(20);
    let store = TimescaleBarStore::open(config).await.unwrap();
    write_bars(&store, 0, &[(0, 10), (MINUTE_NS, 25)]).await;
    write_bars(
        &store,
        0,
        &[(70 * DAY_NS, 10), (70 * DAY_NS + MINUTE_NS, 99)],
    )
    .await;
    assert_eq!(
        store
            .delete_expired_batch(25, i64::MIN, i64::MIN)
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        store
            .delete_expired_batch(30, i64::MIN, i64::MIN)
            .await
            .unwrap(),
        2
    );
    assert_eq!(count_chunks(&database).await, 1);
    assert_eq!(
        store
            .delete_expired_batch(30, i64::MIN, i64::MIN)
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        store
            .delete_expired_batch(31, i64::MIN, i64::MIN)
            .await
            .unwrap(),
        1
    );
    assert_eq!(read_starts(&store).await, [70 * DAY_NS + MINUTE_NS]);
}

/// Bars that no commit wrote, such as those of a restored table, do not expire early.
#[tokio::test]
async fn the_rows_of_a_chunk_decide_whether_it_has_expired() {
    let (database, store) = bar_store().await;
    write_bars(&store, 0, &[(0, 10), (MINUTE_NS, 99)]).await;
    database.run_sql("DELETE FROM bar_days").await;
    assert_eq!(
        store
            .delete_expired_batch(50, i64::MIN, i64::MIN)
            .await
            .unwrap(),
        1
    );
    assert_eq!(read_starts(&store).await, [MINUTE_NS]);
    assert_eq!(
        store
            .delete_expired_batch(50, i64::MIN, i64::MIN)
            .await
            .unwrap(),
        0
    );
    database.run_sql("DELETE FROM bars").await;
    assert_eq!(
        store
            .delete_expired_batch(100, i64::MIN, i64::MIN)
            .await
            .unwrap(),
        0
    );
    assert_eq!(count_chunks(&database).await, 0);
}

/// A call deletes a bounded number of rows, however many have expired.
#[tokio::test]
async fn a_call_deletes_a_bounded_number_of_rows() {
    let (_kept, store) = bar_store().await;
    for chunk in 0..3_i64 {
        let bars = (0..5_000).map(|index| ((chunk * 5_000 + index) * MINUTE_NS, 10));
        write_bars(&store, 0, &bars.collect::<Vec<_>>()).await;
    }
    // One bar of another interval keeps each chunk from being dropped.
    let mut recent = step(0, 3, 4);
    recent.bars = (0..2)
        .map(|week| {
            bar(
                &instrument("a:a"),
                Interval::H1,
                week * 7 * DAY_NS,
                99,
                true,
            )
        })
        .collect();
    commit_step(&store, recent).await;
    let mut deleted = Vec::new();
    loop {
        match store
            .delete_expired_batch(50, i64::MIN, i64::MIN)
            .await
            .unwrap()
        {
            0 => break,
            rows => deleted.push(rows),
        }
    }
    assert_eq!(deleted, [10_000, 5_000]);
    assert_eq!(read_starts(&store).await, [0; 0]);
}

/// A bar that is committed while its chunk is dropped is there afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_recent_bar_is_dropped_with_an_old_chunk() {
    let (_kept, store) = bar_store().await;
    for round in 0..10_u64 {
        let start_ns = i64::try_from(round).unwrap() * 7 * DAY_NS;
        write_bars(&store, 0, &[(start_ns, 10)]).await;
        let (dropping, writing) = (store.clone(), store.clone());
        let dropping = tokio::spawn(async move {
            dropping
                .delete_expired_batch(50, i64::MIN, i64::MIN)
                .await
                .unwrap()
        });
        let writing = tokio::spawn(async move {
            write_bars(&writing, 1, &[(start_ns + MINUTE_NS, 100 + round)]).await;
        });
        writing.await.unwrap();
        let deleted = dropping.await.unwrap()
            + store
                .delete_expired_batch(50, i64::MIN, i64::MIN)
                .await
                .unwrap();
        assert_eq!(deleted, 1);
        assert_eq!(read_starts(&store).await.len() as u64, round + 1);
    }
}
