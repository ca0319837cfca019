//! Measures a trade a week since 1970, in a chunk for each week and then in one commit: what a
//! statement locks, how long it takes, and whether two at once succeed.

use std::time::Duration;

use candlewick_store::{
    BarKey, BarQuery, BarReader, BarStore, StoredBar, TimescaleBarStore, TimescaleConfig,
};
use market::{BarRow, DAY_NS, Interval, MINUTE_NS};
use sqlx::{Connection, PgConnection, query_scalar};
use tokio::sync::watch;

use crate::rows::{bar, instrument, position};
use crate::{now, transaction};

const WEEKS: i64 = 2_969;
const COMMIT_WEEKS: i64 = 2_000;
const SYMBOLS: usize = 100;
/// How many calls are timed.
const REPEATS: usize = 15;
/// How many calls are made while locks are counted.
const WATCHED: usize = 5;

pub(crate) async fn measure_weeks_since_1970(url: &str) {
    println!(
        "\n{:<44}{:>12}{:>10}  outcome",
        "a trade a week since 1970", "ms, median", "locks"
    );
    let mut bench = WeeksBench::start(url).await;
    for weeks in [1, 105, WEEKS] {
        bench.clear().await;
        bench.write_a_chunk_for_each_week(weeks).await;
        println!("{} chunks", bench.count_chunks().await);
        bench.measure_reads(weeks).await;
        bench.measure_live_minutes().await;
    }
    bench.clear().await;
    bench.measure_commit_of_many_weeks().await;
    println!("{} chunks", bench.count_chunks().await);
}

struct WeeksBench {
    url: String,
    session: PgConnection,
    store: TimescaleBarStore,
    next_offset: u64,
}

impl WeeksBench {
    async fn start(url: &str) -> Self {
        let store = TimescaleBarStore::open(TimescaleConfig::new(url)).await;
        Self {
            url: url.to_owned(),
            session: PgConnection::connect(url).await.unwrap(),
            store: store.unwrap(),
            next_offset: 0,
        }
    }

    /// Drops all bars, a few chunks at a time.
    async fn clear(&mut self) {
        let drop_some = "SELECT count(*) FROM drop_chunks('bars', older_than => (SELECT max(range_end) \
             FROM (SELECT range_end FROM timescaledb_information.chunks ORDER BY 1 LIMIT 64) AS c))";
        while self.count_chunks().await > 0 {
            let dropped = sqlx::raw_sql(drop_some);
            dropped.execute(&mut self.session).await.unwrap();
        }
        let sql = "TRUNCATE open_bars, partition_progress, bar_days; \
             SELECT set_chunk_time_interval('bars', INTERVAL '7 days')";
        sqlx::raw_sql(sql).execute(&mut self.session).await.unwrap();
        self.store.load_or_create_partition(0, 1).await.unwrap();
        self.next_offset = 0;
    }

    async fn count_chunks(&mut self) -> i64 {
        let count = query_scalar("SELECT count(*) FROM timescaledb_information.chunks");
        count.fetch_one(&mut self.session).await.unwrap()
    }

    async fn write_a_chunk_for_each_week(&mut self, weeks: i64) {
        let starts: Vec<_> = (WEEKS - weeks..WEEKS).map(start_ns).collect();
        for starts in starts.chunks(64) {
            let bars = starts.iter().flat_map(|start_ns| {
                Interval::ALL.map(|interval| stored_bar(0, interval, *start_ns, true))
            });
            self.commit(bars.collect()).await.unwrap();
        }
    }

    async fn commit(&mut self, bars: Vec<StoredBar>) -> Result<(), String> {
        let step = transaction(0, self.next_offset, bars);
        let committed = self.store.commit(&step).await;
        committed.map_err(|error| error.to_string())?;
        self.next_offset += 1;
        Ok(())
    }

    async fn measure_reads(&mut self, weeks: i64) {
        let query = |interval, start_ns, limit, keep_newest| BarQuery {
            instrument: instrument(0),
            interval,
            start_ns,
            end_ns: i64::MAX,
            limit,
            keep_newest,
        };
        let newest_ns = start_ns(WEEKS - 1);
        let oldest_ns = start_ns(WEEKS - weeks);
        let reads = [
            (
                "read: all, unbounded",
                query(Interval::M1, i64::MIN, u32::MAX, true),
            ),
            (
                "read: newest 1, unbounded",
                query(Interval::M1, i64::MIN, 1, true),
            ),
            (
                "read: newest 500, unbounded",
                query(Interval::M1, i64::MIN, 500, true),
            ),
            (
                "read: oldest 1, unbounded",
                query(Interval::M1, i64::MIN, 1, false),
            ),
            (
                "read: the newest day",
                query(Interval::M1, newest_ns, 1_440, false),
            ),
        ];
        for (name, query) in reads {
            let store = self.store.clone();
            let read = || async { store.bar_range(&query).await.map(|_| ()) };
            self.measure(name, read).await;
        }
        let keys = [oldest_ns, newest_ns].map(|start_ns| BarKey {
            instrument: instrument(0),
            window: Interval::M1.window_containing(start_ns),
        });
        let (store, newest) = (self.store.clone(), [keys[1].clone()]);
        let read = || async { store.bars(&newest).await.map(|_| ()) };
        self.measure("read: one key", read).await;
        let read = || async { store.bars(&keys).await.map(|_| ()) };
        self.measure("read: two keys, oldest and newest", read)
            .await;
        let all = BarQuery {
            instrument: instrument(0),
            interval: Interval::M1,
            start_ns: i64::MIN,
            end_ns: i64::MAX,
            limit: u32::MAX,
            keep_newest: true,
        };
        let two =
            || async { tokio::try_join!(store.bar_range(&all), store.bar_range(&all)).map(|_| ()) };
        self.measure("read: all, unbounded, two at once", two).await;
    }

    async fn measure<E: std::fmt::Display, F: Future<Output = Result<(), E>>>(
        &self,
        name: &str,
        call: impl Fn() -> F,
    ) {
        let mut spent = Vec::new();
        for _ in 0..REPEATS {
            let started = now();
            drop(call().await);
            spent.push(started.elapsed());
        }
        // Watching locks takes time, so these calls are not timed.
        let locks = LockObserver::start(&self.url).await;
        let mut outcome = "ok".to_owned();
        for _ in 0..WATCHED {
            if let Err(error) = call().await {
                outcome = error.to_string();
            }
        }
        report(name, &mut spent, locks.stop().await, &outcome);
    }

    /// A minute of [`SYMBOLS`] symbols closes and the next opens, as in a live market.
    async fn measure_live_minutes(&mut self) {
        let first_ns = start_ns(WEEKS - 1) + DAY_NS;
        let mut minutes = (0..).map(|minute: i64| {
            let minute_ns = first_ns + minute * MINUTE_NS;
            let closes = (0..SYMBOLS).map(|of| stored_bar(of, Interval::M1, minute_ns, true));
            let opens =
                (0..SYMBOLS).map(|of| stored_bar(of, Interval::M1, minute_ns + MINUTE_NS, false));
            closes.chain(opens).collect::<Vec<_>>()
        });
        let mut spent = Vec::new();
        for bars in minutes.by_ref().take(2 * REPEATS) {
            let started = now();
            self.commit(bars).await.unwrap();
            spent.push(started.elapsed());
        }
        let locks = LockObserver::start(&self.url).await;
        let mut outcome = "ok".to_owned();
        for bars in minutes.take(WATCHED) {
            if let Err(error) = self.commit(bars).await {
                outcome = error;
            }
        }
        let name = format!("commit: a live minute of {SYMBOLS} symbols");
        report(&name, &mut spent, locks.stop().await, &outcome);
    }

    async fn measure_commit_of_many_weeks(&mut self) {
        let bars = (0..COMMIT_WEEKS).flat_map(|week| {
            Interval::ALL.map(|interval| stored_bar(0, interval, start_ns(week), true))
        });
        let bars: Vec<_> = bars.collect();
        let name = format!("commit: {COMMIT_WEEKS} weeks close");
        let locks = LockObserver::start(&self.url).await;
        let started = now();
        let committed = self.commit(bars).await;
        let outcome = committed.err().unwrap_or_else(|| "ok".to_owned());
        let mut spent = [started.elapsed()];
        report(&name, &mut spent, locks.stop().await, &outcome);
    }
}

fn report(name: &str, spent: &mut [Duration], locks: i64, outcome: &str) {
    spent.sort_unstable();
    let median = spent[spent.len() / 2].as_secs_f64() * 1e3;
    println!("  {name:<42}{median:>12.1}{locks:>10}  {outcome}");
}

/// Watches how many locks any session of the database holds.
struct LockObserver {
    stop: watch::Sender<bool>,
    observing: tokio::task::JoinHandle<i64>,
}

impl LockObserver {
    async fn start(url: &str) -> Self {
        let mut session = PgConnection::connect(url).await.unwrap();
        let (stop, stopped) = watch::channel(false);
        let observing = tokio::spawn(async move {
            let mut greatest = 0;
            loop {
                let is_last = *stopped.borrow();
                let count = query_scalar(
                    "SELECT coalesce(max(count), 0) FROM (SELECT count(*) FROM pg_locks \
                     WHERE locktype = 'relation' AND pid <> pg_backend_pid() AND database = \
                     (SELECT oid FROM pg_database WHERE datname = current_database()) \
                     GROUP BY pid) AS sessions",
                );
                let locks: i64 = count.fetch_one(&mut session).await.unwrap();
                greatest = locks.max(greatest);
                if is_last {
                    return greatest;
                }
            }
        });
        Self { stop, observing }
    }

    /// Returns the greatest number of locks that a session has held.
    async fn stop(self) -> i64 {
        self.stop.send_replace(true);
        self.observing.await.unwrap()
    }
}

/// The second day of a week that is counted from 1970-01-01.
fn start_ns(week: i64) -> i64 {
    (week * 7 + 1) * DAY_NS
}

fn stored_bar(symbol: usize, interval: Interval, start_ns: i64, closed: bool) -> StoredBar {
    let instrument = instrument(symbol);
    let number = u64::try_from(start_ns / MINUTE_NS).unwrap();
    StoredBar {
        row: BarRow {
            window: interval.window_containing(start_ns),
            bar: bar(&instrument, interval, start_ns, number),
            closed,
            revision: 0,
            provable: true,
            through: position(number),
        },
        instrument,
    }
}
