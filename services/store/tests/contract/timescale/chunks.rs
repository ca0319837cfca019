//! Tests of bars in many chunks: no statement and no transaction may lock all of them.

use std::future::Future;
use std::time::Duration;

use candlewick_store::{BarKey, BarQuery, BarReader, BarStore, StoredBar, TimescaleBarStore};
use clock::{Clock, SystemClock};
use market::{BarRow, DAY_NS, Interval, MINUTE_NS};
use sqlx::{AssertSqlSafe, PgConnection, query, query_scalar};

use super::database::{Database, bar_store};
use crate::fixtures::{bar, commit_step, instrument, step};

/// How many chunks a statement or a commit may lock: the default.
const MAX_CHUNKS: i64 = 64;

/// As many weeks as two statements may read, on either side of one in the middle.
const WEEKS: u64 = 4 * 64 + 1;

/// The week in the middle, whose chunk some tests lock.
const LOCKED_WEEK: u64 = WEEKS / 2;

/// The weeks from 1970 to 2026.
const WEEKS_SINCE_1970: u64 = 2_969;

fn start_ns(week: u64) -> i64 {
    i64::try_from(week).unwrap() * 7 * DAY_NS + DAY_NS
}

fn weekly_bar(week: u64, number: u64, closed: bool) -> StoredBar {
    let instrument = instrument("a:a");
    bar(&instrument, Interval::M1, start_ns(week), number, closed)
}

async fn commit_bars(store: &TimescaleBarStore, bars: Vec<StoredBar>) {
    commit_bars_of_partition(store, 0, bars).await;
}

async fn commit_bars_of_partition(store: &TimescaleBarStore, partition: u32, bars: Vec<StoredBar>) {
    let state = store.load_or_create_partition(partition, 1).await.unwrap();
    let from = state.progress.next_offset;
    let mut transaction = step(partition, from, from + 1);
    transaction.bars = bars;
    commit_step(store, transaction).await;
}

/// Writes a closed bar in each week, in chunks of their own.
async fn write_weekly_bars(database: &Database, store: &TimescaleBarStore) -> Vec<BarRow> {
    let bars: Vec<_> = (0..WEEKS)
        .map(|week| weekly_bar(week, week, true))
        .collect();
    for bars in bars.chunks(64) {
        commit_bars(store, bars.to_vec()).await;
    }
    assert_eq!(count_chunks(database).await, i64::try_from(WEEKS).unwrap());
    rows(bars)
}

fn rows(bars: Vec<StoredBar>) -> Vec<BarRow> {
    bars.into_iter().map(|bar| bar.row).collect()
}

async fn count_chunks(database: &Database) -> i64 {
    query_scalar("SELECT count(*) FROM timescaledb_information.chunks")
        .fetch_one(&mut database.session().await)
        .await
        .unwrap()
}

fn all_minutes(limit: u32, keep_newest: bool) -> BarQuery {
    BarQuery {
        instrument: instrument("a:a"),
        interval: Interval::M1,
        start_ns: i64::MIN,
        end_ns: i64::MAX,
        limit,
        keep_newest,
    }
}

fn keys(bars: &[BarRow]) -> Vec<BarKey> {
    let keys = bars.iter().map(|row| BarKey {
        instrument: instrument("a:a"),
        window: row.window,
    });
    keys.collect()
}

/// Locks the chunk of [`LOCKED_WEEK`] so that no other session can read it. Ends with the session.
async fn lock_chunk(database: &Database) -> PgConnection {
    let mut session = database.session().await;
    let chunk: String = query_scalar(
        "SELECT format('%I.%I', chunk_schema, chunk_name) FROM timescaledb_information.chunks \
         WHERE range_start <= to_timestamp($1) AND range_end > to_timestamp($1)",
    )
    .bind((start_ns(LOCKED_WEEK) / 1_000_000_000) as f64)
    .fetch_one(&mut session)
    .await
    .unwrap();
    query("BEGIN").execute(&mut session).await.unwrap();
    let lock = format!("LOCK TABLE {chunk} IN ACCESS EXCLUSIVE MODE");
    let lock = query(AssertSqlSafe(lock));
    lock.execute(&mut session).await.unwrap();
    session
}

/// The number of chunks that the session that waits for a lock has locked; NULL if none waits.
const COUNT_CHUNKS_OF_WAITING_SESSION: &str = "SELECT (SELECT count(DISTINCT l.relation) \
    FROM pg_locks AS l WHERE l.granted AND l.pid = waiting.pid \
    AND l.relation IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'bars'::regclass)) \
    FROM pg_locks AS waiting WHERE NOT waiting.granted \
    AND waiting.database = (SELECT oid FROM pg_database WHERE datname = current_database())";

/// Runs a call until it waits for the locked chunk, and returns how many chunks it has locked by
/// then, with what it returns once the chunk is free.
async fn count_locked_chunks<T: Send + 'static>(
    database: &Database,
    call: impl Future<Output = T> + Send + 'static,
) -> (i64, T) {
    let locked = lock_chunk(database).await;
    let call = tokio::spawn(call);
    let mut observer = database.session().await;
    let chunks: i64 = loop {
        assert!(!call.is_finished(), "it did not wait for the chunk");
        let count = query_scalar(COUNT_CHUNKS_OF_WAITING_SESSION);
        if let Some(chunks) = count.fetch_optional(&mut observer).await.unwrap() {
            break chunks;
        }
        SystemClock.sleep(Duration::from_millis(5)).await;
    };
    drop(locked);
    (chunks, call.await.unwrap())
}

/// A read that locked all chunks would wait for the locked one, and fail.
#[tokio::test]
async fn reads_of_few_bars_lock_few_chunks() {
    let database = Database::migrated().await;
    let mut config = database.config();
    config.lock_timeout = Duration::from_millis(100);
    let store = TimescaleBarStore::open(config).await.unwrap();
    let bars = write_weekly_bars(&database, &store).await;
    let _locked = lock_chunk(&database).await;
    let last = bars.len() - 1;
    for limit in [1, 100] {
        let newest = store.bar_range(&all_minutes(limit, true)).await.unwrap();
        assert_eq!(newest, bars[bars.len() - limit as usize..]);
        let oldest = store.bar_range(&all_minutes(limit, false)).await.unwrap();
        assert_eq!(oldest, bars[..limit as usize]);
    }
    let ends = [bars[0].clone(), bars[last].clone()];
    let read = store.bars(&keys(&ends)).await.unwrap();
    assert_eq!(read, ends.map(Some));
    let snapshot = store.snapshot().await.unwrap();
    let read = snapshot.bar_range(&all_minutes(70, true)).await.unwrap();
    assert_eq!(read, bars[bars.len() - 70..]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_of_all_bars_lock_few_chunks_at_a_time() {
    let (database, store) = bar_store().await;
    let bars = write_weekly_bars(&database, &store).await;
    for keep_newest in [false, true] {
        let reader = store.clone();
        let query = all_minutes(u32::MAX, keep_newest);
        let read = async move { reader.bar_range(&query).await.unwrap() };
        let (chunks, read) = count_locked_chunks(&database, read).await;
        assert!(chunks <= MAX_CHUNKS, "{chunks}");
        assert_eq!(read, bars);
    }
    let (reader, all) = (store.clone(), keys(&bars));
    let read = async move { reader.bars(&all).await.unwrap() };
    let (chunks, read) = count_locked_chunks(&database, read).await;
    assert!(chunks <= MAX_CHUNKS, "{chunks}");
    assert_eq!(read, bars.iter().cloned().map(Some).collect::<Vec<_>>());
    // A snapshot keeps its transaction, and no locks of what it has read.
    let snapshot = store.snapshot().await.unwrap();
    for _ in 0..2 {
        let read = snapshot.bar_range(&all_minutes(u32::MAX, true)).await;
        assert_eq!(read.unwrap(), bars);
    }
    let kept: i64 = query_scalar(
        "SELECT count(*) FROM pg_locks WHERE relation IN \
         (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'bars'::regclass)",
    )
    .fetch_one(&mut database.session().await)
    .await
    .unwrap();
    assert_eq!(kept, 0);
    assert_eq!(snapshot.bars(&keys(&bars)).await.unwrap(), read);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_opens_bars_in_many_weeks_locks_few_chunks() {
    let (database, store) = bar_store().await;
    let before = write_weekly_bars(&database, &store).await;
    let open = |week| {
        let mut bar = weekly_bar(week, 1_000 + week, false);
        // Windows that were not stored, but for one.
        bar.row.window.start_ns += i64::from(week != 0) * MINUTE_NS;
        bar
    };
    let opened: Vec<_> = (0..WEEKS).map(open).collect();
    let (writer, bars) = (store.clone(), opened.clone());
    let writing = async move { commit_bars(&writer, bars).await };
    let (chunks, ()) = count_locked_chunks(&database, writing).await;
    assert!(chunks <= MAX_CHUNKS, "{chunks}");
    let mut expected = rows(opened);
    let is_opened = |row: &BarRow| expected.iter().any(|open| open.window == row.window);
    let kept: Vec<_> = before.into_iter().filter(|row| !is_opened(row)).collect();
    expected.extend(kept);
    expected.sort_by_key(|row| row.window.start_ns);
    let read = store.bar_range(&all_minutes(u32::MAX, false)).await;
    assert_eq!(read.unwrap(), expected);
}

/// Asserts that every way of reading returns these bars.
async fn assert_reads(database: &Database, store: &TimescaleBarStore, bars: &[BarRow]) {
    for keep_newest in [false, true] {
        let read = store.bar_range(&all_minutes(u32::MAX, keep_newest)).await;
        assert_eq!(read.unwrap(), bars);
    }
    let newest = store.bar_range(&all_minutes(100, true)).await.unwrap();
    assert_eq!(newest, bars[bars.len() - 100..]);
    // Keys in another order than their bars, and one without a bar.
    let mut other_order = bars.to_vec();
    other_order.reverse();
    let mut other_keys = keys(&other_order);
    let mut missing = other_keys[0].clone();
    missing.window.start_ns += MINUTE_NS;
    other_keys.insert(1, missing);
    let mut expected: Vec<_> = other_order.into_iter().map(Some).collect();
    expected.insert(1, None);
    assert_eq!(store.bars(&other_keys).await.unwrap(), expected);
    let through: Vec<i64> = query_scalar(
        "SELECT through_offset FROM candles WHERE interval_s = 60 AND closed ORDER BY start",
    )
    .fetch_all(&mut database.session().await)
    .await
    .unwrap();
    let expected = bars.iter().map(|row| row.through.offset.cast_signed());
    assert!(through.into_iter().eq(expected));
}

#[tokio::test]
async fn a_commit_of_bars_in_many_weeks_writes_few_chunks() {
    let (database, store) = bar_store().await;
    let bars = |add| {
        let bars = (0..WEEKS).map(move |week| weekly_bar(week, add + week, true));
        bars.collect::<Vec<_>>()
    };
    commit_bars(&store, bars(0)).await;
    assert_eq!(count_chunks(&database).await, MAX_CHUNKS);
    assert_reads(&database, &store, &rows(bars(0))).await;
    // The weeks with the most bars are written to chunks: now the oldest, before the newest.
    let mut corrected = bars(1_000);
    let hours = (0..64).map(|week| {
        let start_ns = start_ns(week);
        bar(&instrument("a:a"), Interval::H1, start_ns, 5_000, true)
    });
    corrected.extend(hours);
    commit_bars(&store, corrected).await;
    assert_eq!(count_chunks(&database).await, 2 * MAX_CHUNKS);
    assert_reads(&database, &store, &rows(bars(1_000))).await;
    // Small commits move their bars to chunks.
    let mut all = bars(1_000);
    for week in [0, 100, 250] {
        all[week] = weekly_bar(week as u64, 2_000 + week as u64, true);
        commit_bars(&store, vec![all[week].clone()]).await;
        assert_reads(&database, &store, &rows(all.clone())).await;
    }
    assert_eq!(count_chunks(&database).await, 2 * MAX_CHUNKS + 1);
    // Nothing that was replaced comes back when what replaced it expires.
    let expire = |before_ns| store.delete_expired_batch(before_ns, i64::MIN, i64::MIN);
    while expire(1_200).await.unwrap() > 0 {}
    let left = all
        .into_iter()
        .filter(|bar| bar.row.bar.first_append_ns >= 1_200);
    let read = store.bar_range(&all_minutes(u32::MAX, false)).await;
    assert_eq!(read.unwrap(), rows(left.collect()));
    while expire(i64::MAX).await.unwrap() > 0 {}
    let left: i64 = query_scalar(
        "SELECT (SELECT count(*) FROM bars) + (SELECT count(*) FROM scattered_bars) \
         + (SELECT count(*) FROM bar_days)",
    )
    .fetch_one(&mut database.session().await)
    .await
    .unwrap();
    assert_eq!((left, count_chunks(&database).await), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expired_bars_of_many_weeks_are_deleted_in_small_transactions() {
    let (database, store) = bar_store().await;
    write_weekly_bars(&database, &store).await;
    // A younger bar keeps each chunk.
    let young: Vec<_> = (0..WEEKS)
        .map(|week| {
            let start_ns = start_ns(week) + 2 * DAY_NS;
            bar(&instrument("a:a"), Interval::M1, start_ns, 1_000, true)
        })
        .collect();
    for bars in young.chunks(64) {
        commit_bars(&store, bars.to_vec()).await;
    }
    let expiring = store.clone();
    let expire = async move {
        let expire = || expiring.delete_expired_batch(1_000, i64::MIN, i64::MIN);
        let mut deleted = 0;
        loop {
            match expire().await.unwrap() {
                0 => break deleted,
                rows => deleted += rows,
            }
        }
    };
    let (chunks, deleted) = count_locked_chunks(&database, expire).await;
    assert!(chunks <= MAX_CHUNKS, "{chunks}");
    assert_eq!(deleted, WEEKS);
    let read = store.bar_range(&all_minutes(u32::MAX, false)).await;
    assert_eq!(read.unwrap(), rows(young));
}

/// Returns the bars of all intervals of a trade a week.
fn bars_of_weekly_trades(key: &str, closed: bool) -> Vec<StoredBar> {
    let instrument = instrument(key);
    let weeks = (0..WEEKS_SINCE_1970).flat_map(|week| {
        let bar = |interval| bar(&instrument, interval, start_ns(week), week, closed);
        Interval::ALL.map(bar)
    });
    weeks.collect()
}

/// The server cannot lock as many chunks as there are weeks, with their indexes: a commit that made
/// them all would fail at each try.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trade_a_week_since_1970_is_committed_and_read_by_several_at_once() {
    let (database, store) = bar_store().await;
    for closed in [false, true] {
        tokio::join!(
            commit_bars_of_partition(&store, 0, bars_of_weekly_trades("a:a", closed)),
            commit_bars_of_partition(&store, 1, bars_of_weekly_trades("a:b", closed)),
        );
        let read = |key: &str| {
            let (reader, instrument) = (store.clone(), instrument(key));
            let query = BarQuery {
                instrument,
                ..all_minutes(u32::MAX, true)
            };
            async move { reader.bar_range(&query).await.unwrap() }
        };
        let (one, other) = tokio::join!(read("a:a"), read("a:b"));
        for (key, read) in [("a:a", one), ("a:b", other)] {
            let mut expected = rows(bars_of_weekly_trades(key, closed));
            expected.retain(|row| row.window.interval == Interval::M1);
            assert_eq!(read, expected);
        }
    }
    // Both commits chose the newest weeks.
    assert_eq!(count_chunks(&database).await, MAX_CHUNKS);
}
