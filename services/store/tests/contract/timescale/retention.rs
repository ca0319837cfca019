//! What goes as whole chunks, and what row by row.

use std::time::Duration;

use candlewick_store::{BarQuery, BarReader, BarStore, TimescaleBarStore};
use market::{DAY_NS, Interval, MINUTE_NS};

use super::database::{Database, bar_store};
use crate::fixtures::{bar, instrument, step, take};

async fn chunks(database: &Database) -> i64 {
    sqlx::query_scalar(
        "SELECT count(*) FROM timescaledb_information.chunks WHERE hypertable_name = 'bars'",
    )
    .fetch_one(&mut database.session().await)
    .await
    .unwrap()
}

async fn starts(store: &TimescaleBarStore) -> Vec<i64> {
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

/// Closed bars at some starts, whose first trade the log took at some times.
async fn write(store: &TimescaleBarStore, partition: u32, bars: &[(i64, u64)]) {
    let state = store.load_partition(partition, 1).await.unwrap();
    let from = state.progress.next_offset;
    let mut transaction = step(partition, from, from + 1);
    transaction.bars = bars
        .iter()
        .map(|(start_ns, at)| bar(&instrument("a:a"), Interval::M1, *start_ns, *at, true))
        .collect();
    take(store, transaction).await;
}

/// A tape of an old year that is read again lives as long as what came in today.
#[tokio::test]
async fn a_chunk_goes_once_nothing_in_it_is_young() {
    let (database, store) = bar_store().await;
    let old = 16_000 * DAY_NS;
    let live = 20_000 * DAY_NS;
    write(&store, 0, &[(old, 10), (old + MINUTE_NS, 11), (live, 12)]).await;
    write(&store, 1, &[(old + DAY_NS, 90)]).await;
    assert_eq!(chunks(&database).await, 2);

    // Two are old, and their chunk holds a young one.
    assert_eq!(store.delete_expired(12, i64::MIN).await.unwrap(), 2);
    assert_eq!(store.delete_expired(12, i64::MIN).await.unwrap(), 0);
    assert_eq!(starts(&store).await, [old + DAY_NS, live]);
    assert_eq!(chunks(&database).await, 2);
    // The newer of the chunks is the one that is old.
    assert_eq!(store.delete_expired(90, i64::MIN).await.unwrap(), 1);
    assert_eq!(starts(&store).await, [old + DAY_NS]);
    assert_eq!(chunks(&database).await, 1);
    // A day that is written again after it was emptied begins anew.
    write(&store, 0, &[(live, 95)]).await;
    assert_eq!(store.delete_expired(91, i64::MIN).await.unwrap(), 1);
    assert_eq!(starts(&store).await, [live]);
    assert_eq!(store.delete_expired(i64::MAX, i64::MIN).await.unwrap(), 1);
    assert_eq!(chunks(&database).await, 0);
}

/// Rows wait for their chunk, which is cheaper to drop, unless it stays too long.
#[tokio::test]
async fn bars_go_with_their_chunk() {
    let database = Database::migrated().await;
    let mut config = database.config();
    config.chunk_slack = Duration::from_nanos(20);
    let store = TimescaleBarStore::open(config).await.unwrap();
    write(&store, 0, &[(0, 10), (MINUTE_NS, 25)]).await;
    write(
        &store,
        0,
        &[(70 * DAY_NS, 10), (70 * DAY_NS + MINUTE_NS, 99)],
    )
    .await;
    assert_eq!(store.delete_expired(25, i64::MIN).await.unwrap(), 0);
    assert_eq!(store.delete_expired(30, i64::MIN).await.unwrap(), 2);
    assert_eq!(chunks(&database).await, 1);
    assert_eq!(store.delete_expired(30, i64::MIN).await.unwrap(), 0);
    assert_eq!(store.delete_expired(31, i64::MIN).await.unwrap(), 1);
    assert_eq!(starts(&store).await, [70 * DAY_NS + MINUTE_NS]);
}

/// Bars that no commit has noted, such as those of a restored table, are no older for it.
#[tokio::test]
async fn a_chunk_is_judged_by_its_rows() {
    let (database, store) = bar_store().await;
    write(&store, 0, &[(0, 10), (MINUTE_NS, 99)]).await;
    database.meddle("DELETE FROM bar_days").await;
    assert_eq!(store.delete_expired(50, i64::MIN).await.unwrap(), 1);
    assert_eq!(starts(&store).await, [MINUTE_NS]);
    assert_eq!(store.delete_expired(50, i64::MIN).await.unwrap(), 0);
    database.meddle("DELETE FROM bars").await;
    assert_eq!(store.delete_expired(100, i64::MIN).await.unwrap(), 0);
    assert_eq!(chunks(&database).await, 0);
}

/// However many are old, a call takes a bounded number.
#[tokio::test]
async fn rows_go_a_few_at_a_time() {
    let (_kept, store) = bar_store().await;
    for chunk in 0..3_i64 {
        let bars = (0..5_000).map(|place| ((chunk * 5_000 + place) * MINUTE_NS, 10));
        write(&store, 0, &bars.collect::<Vec<_>>()).await;
    }
    // One bar of another interval keeps the chunk, so that no drop does the work.
    let mut young = step(0, 3, 4);
    young.bars = (0..2)
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
    take(&store, young).await;
    let mut gone = Vec::new();
    loop {
        match store.delete_expired(50, i64::MIN).await.unwrap() {
            0 => break,
            rows => gone.push(rows),
        }
    }
    assert_eq!(gone, [10_000, 5_000]);
    assert_eq!(starts(&store).await, [0; 0]);
}

/// A commit and the drop of a chunk at once: what was committed is there afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_young_bar_goes_with_an_old_chunk() {
    let (_kept, store) = bar_store().await;
    for round in 0..10_u64 {
        let start_ns = i64::try_from(round).unwrap() * 7 * DAY_NS;
        write(&store, 0, &[(start_ns, 10)]).await;
        let (dropping, writing) = (store.clone(), store.clone());
        let dropping =
            tokio::spawn(async move { dropping.delete_expired(50, i64::MIN).await.unwrap() });
        let writing = tokio::spawn(async move {
            write(&writing, 1, &[(start_ns + MINUTE_NS, 100 + round)]).await;
        });
        writing.await.unwrap();
        let gone = dropping.await.unwrap() + store.delete_expired(50, i64::MIN).await.unwrap();
        assert_eq!(gone, 1);
        assert_eq!(starts(&store).await.len() as u64, round + 1);
    }
}
