//! Measures commits of bars to TimescaleDB by their size: as the store writes them (binary `COPY`
//! into a table of the session, then `INSERT … SELECT … ON CONFLICT`), and the same rows as arrays
//! through `unnest`. Then measures chunks of several lengths, and thousands of chunks.
//!
//! `CANDLEWICK_TIMESCALEDB=postgres://… cargo bench -p candlewick-store --bench timescale`
//! (`-- weeks` measures the last alone)
//!
//! It creates a database on that server, and drops it at the end.
#![expect(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a benchmark may stop, and its figures are rounded"
)]

#[path = "timescale/chunks.rs"]
mod chunks;
#[path = "timescale/rows.rs"]
mod rows;
#[path = "timescale/unnest.rs"]
mod unnest;
#[path = "timescale/weeks.rs"]
mod weeks;

use std::time::{Duration, Instant};

use candlewick_store::{
    BarStore, CommitOutcome, PartitionProgress, PartitionTransaction, StoredBar, TimescaleBarStore,
    TimescaleConfig,
};
use market::Position;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

const DATABASE: &str = "candlewick_bench";

fn main() {
    let server = std::env::var("CANDLEWICK_TIMESCALEDB").unwrap_or_default();
    assert!(
        !server.is_empty(),
        "set CANDLEWICK_TIMESCALEDB to the URL of a server, such as that of `make stack`"
    );
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        run_on_server(
            &server,
            &format!("DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)"),
        )
        .await;
        run_on_server(&server, &format!("CREATE DATABASE {DATABASE}")).await;
        let (host, _) = server.rsplit_once('/').unwrap();
        let url = format!("{host}/{DATABASE}");
        let config = TimescaleConfig::new(&url);
        let migrated = TimescaleBarStore::migrate(config).await;
        println!("{:?}", migrated.unwrap().edition);
        if std::env::args().all(|argument| argument != "weeks") {
            measure_commits(&url).await;
            chunks::measure_chunk_lengths(&url).await;
        }
        weeks::measure_weeks_since_1970(&url).await;
        run_on_server(&server, &format!("DROP DATABASE {DATABASE} WITH (FORCE)")).await;
    });
}

async fn run_on_server(server: &str, sql: &str) {
    let mut session = PgConnection::connect(server).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(&mut session)
        .await
        .unwrap();
}

#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark measures with the real clock"
)]
fn now() -> Instant {
    Instant::now()
}

/// Measures both ways in turn, so that other load on the machine affects both.
async fn measure_commits(url: &str) {
    let config = TimescaleConfig::new(url);
    let store = TimescaleBarStore::open(config).await.unwrap();
    let mut session = PgConnection::connect(url).await.unwrap();
    println!(
        "{:<28}{:>10}{:>14}{:>14}",
        "bars a commit", "", "ms, median", "bars/s"
    );
    // The other way updates the progress row of this partition.
    store.load_or_create_partition(0, 1).await.unwrap();
    let (mut partition, mut commits) = (0, 0);
    for (closed, name) in [(false, "open, written over"), (true, "closed, new")] {
        for count in [100, 1_000, 10_000, 50_000] {
            let repeats = if count > 10_000 { 4 } else { 12 };
            let mut spent = [Vec::new(), Vec::new()];
            partition += 1;
            store.load_or_create_partition(partition, 1).await.unwrap();
            for repeat in 0..repeats {
                commits += u64::from(closed);
                let bars = rows::generate_bars(count, commits, repeat, closed);
                let transaction = transaction(partition, repeat, bars);
                let started = now();
                assert_eq!(
                    store.commit(&transaction).await.unwrap(),
                    CommitOutcome::Committed
                );
                spent[0].push(started.elapsed());

                commits += u64::from(closed);
                let bars = rows::generate_bars(count, commits, repeat, closed);
                let started = now();
                unnest::write_bars(&mut session, &bars).await;
                spent[1].push(started.elapsed());
            }
            for (way, spent) in ["copy", "unnest"].iter().zip(&mut spent) {
                report(&format!("{count} {name}"), way, count, spent);
            }
        }
    }
}

fn report(name: &str, way: &str, count: usize, spent: &mut [Duration]) {
    spent.sort_unstable();
    let median = spent[spent.len() / 2].as_secs_f64();
    let rate = count as f64 / median;
    println!("{name:<28}{way:>10}{:>14.1}{rate:>14.0}", median * 1e3);
}

fn transaction(partition: u32, from: u64, bars: Vec<StoredBar>) -> PartitionTransaction {
    PartitionTransaction {
        expected: Position {
            epoch: 1,
            offset: from,
        },
        progress: PartitionProgress {
            partition,
            epoch: 1,
            next_offset: from + 1,
            updates_position: Position::default(),
            append_time_ns: 0,
        },
        bars,
        symbols: Vec::new(),
        venues: Vec::new(),
        id_sets: Vec::new(),
        excluded_ranges: Vec::new(),
        excluded_amendments: Vec::new(),
        dirty_minutes: Vec::new(),
        pending_amendments: Vec::new(),
    }
}
