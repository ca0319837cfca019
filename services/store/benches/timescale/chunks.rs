//! Measures chunks of several lengths over two years of history: the time of a query without a time
//! bound, whose plan has to consider every chunk, and the size of a row.

use candlewick_store::{
    BarQuery, BarReader, BarStore, StoredBar, TimescaleBarStore, TimescaleConfig,
};
use market::{BarRow, DAY_NS, Interval};
use sqlx::{AssertSqlSafe, Connection, PgConnection, query_scalar};

use crate::rows::{START_NS, bar, instrument, position};
use crate::{now, report, transaction};

const DAYS: i64 = 730;
const HOURS: i64 = 24;

pub(crate) async fn measure_chunk_lengths(url: &str) {
    println!(
        "\n{:<28}{:>10}{:>14}{:>14}",
        "two years of one symbol", "", "ms, median", "bars/s"
    );
    for days in [1, 7, 28] {
        let mut session = PgConnection::connect(url).await.unwrap();
        let sql = format!(
            "SELECT drop_chunks('bars', older_than => 'infinity'::timestamptz); \
             TRUNCATE open_bars, partition_progress, bar_days; \
             SELECT set_chunk_time_interval('bars', INTERVAL '{days} days')"
        );
        let cleared = sqlx::raw_sql(AssertSqlSafe(sql));
        cleared.execute(&mut session).await.unwrap();
        let store = TimescaleBarStore::open(TimescaleConfig::new(url))
            .await
            .unwrap();
        write_two_years(&store).await;
        let bytes: i64 = query_scalar("SELECT hypertable_size('bars')")
            .fetch_one(&mut session)
            .await
            .unwrap();
        let per_bar = bytes / (DAYS * HOURS);
        let name = format!("chunks of {days} d, {per_bar} B/bar");
        measure_read(&store, &name, "newest 1", i64::MIN, 1).await;
        measure_read(&store, &name, "1,000", START_NS - 42 * DAY_NS, 1_000).await;
    }
}

async fn write_two_years(store: &TimescaleBarStore) {
    store.load_or_create_partition(0, 1).await.unwrap();
    let instrument = instrument(0);
    for day in 0..DAYS {
        let bars = (0..HOURS).map(|hour| {
            let start_ns = START_NS - (day + 1) * DAY_NS + hour * Interval::H1.length_ns();
            let number = u64::try_from(day * HOURS + hour).unwrap();
            StoredBar {
                instrument: instrument.clone(),
                row: BarRow {
                    window: Interval::H1.window_containing(start_ns),
                    bar: bar(&instrument, Interval::H1, start_ns, number),
                    closed: true,
                    revision: 0,
                    provable: true,
                    through: position(number),
                },
            }
        });
        let from = u64::try_from(day).unwrap();
        let step = transaction(0, from, bars.collect());
        store.commit(&step).await.unwrap();
    }
}

async fn measure_read(store: &TimescaleBarStore, name: &str, way: &str, start_ns: i64, limit: u32) {
    let query = BarQuery {
        instrument: instrument(0),
        interval: Interval::H1,
        start_ns,
        end_ns: i64::MAX,
        limit,
        keep_newest: true,
    };
    let mut spent = Vec::new();
    for _ in 0..30 {
        let started = now();
        assert_eq!(store.bar_range(&query).await.unwrap().len(), limit as usize);
        spent.push(started.elapsed());
    }
    report(name, way, limit as usize, &mut spent);
}
