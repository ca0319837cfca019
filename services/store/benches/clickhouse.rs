//! Measures the tick store on ClickHouse: inserts by the size of a block, reads of a minute and of
//! an hour, and bytes per row.
//!
//! `CANDLEWICK_CLICKHOUSE=http://127.0.0.1:8123 cargo bench -p candlewick-store --bench clickhouse`
//!
//! With `CANDLEWICK_TAPES` the rows are real trades of 2013, otherwise generated ones.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_precision_loss,
    reason = "a benchmark may stop, and its figures are rounded"
)]

use std::time::{Duration, Instant};

use bytes::Bytes;
use candlewick_store::{ClickHouseConfig, ClickHouseTickStore, TickBlock, TickRecord, TickStore};
use clickhouse::Client;
use clickhouse::sql::Identifier;
use market::{DAY_NS, HOUR_NS, Instrument, MINUTE_NS, SECOND_NS, Side, Trade, TradeId};
use schemas::TradesTopicRecord;

/// The number of ticks that are written for each row of the printed table.
const TICKS: usize = 650_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let Ok(url) = std::env::var("CANDLEWICK_CLICKHOUSE") else {
            panic!("set CANDLEWICK_CLICKHOUSE to the HTTP address of a server");
        };
        let trades = load_trades();
        println!(
            "{:<22}{:>10}{:>12}{:>14}{:>16}{:>12}",
            "ticks", "in/s", "ms/block", "bytes/tick", "ms/minute", "ms/hour"
        );
        for block in [10_000, 65_536] {
            let config = ClickHouseConfig {
                url: url.clone(),
                database: format!("candlewick_bench_{}", std::process::id()),
                ..ClickHouseConfig::default()
            };
            measure(&config, &trades, block).await;
        }
    });
}

#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark measures with the real clock"
)]
fn now() -> Instant {
    Instant::now()
}

fn instrument() -> Instrument {
    "nyse:SPY".parse().unwrap()
}

/// Returns trades in order of time: those of a tape, or generated ones.
fn load_trades() -> Vec<Trade> {
    let Ok(folder) = std::env::var("CANDLEWICK_TAPES") else {
        return (0..TICKS as u64).map(generate_trade).collect();
    };
    let path = std::path::Path::new(&folder).join("SPY-trades-2013-10-08.zip");
    let mut archive = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
    let text = std::io::read_to_string(archive.by_index(0).unwrap()).unwrap();
    text.lines().take(TICKS).map(parse_tape_line).collect()
}

fn parse_tape_line(line: &str) -> Trade {
    let fields: Vec<_> = line.split(',').collect();
    Trade {
        time_ns: fields[4].parse::<i64>().unwrap() * 1_000,
        price: fields[1].parse().unwrap(),
        quantity: Some(fields[2].parse().unwrap()),
        side: Some(Side::Buy),
        id: Some(TradeId::parse(fields[0]).unwrap()),
        scope: None,
        sender: None,
    }
}

fn generate_trade(number: u64) -> Trade {
    Trade {
        time_ns: 1_790_000_000 * SECOND_NS + i64::try_from(number).unwrap() * 5_000_003,
        price: format!("{}.{:02}", 60_000 + number % 1_000, number * 7 % 100)
            .parse()
            .unwrap(),
        quantity: Some(
            format!("0.{:05}", 1 + number * 7_919 % 99_999)
                .parse()
                .unwrap(),
        ),
        side: Some([Side::Buy, Side::Sell][usize::from(number.is_multiple_of(3))]),
        id: Some(TradeId::Number(3_000_000_000 + number)),
        scope: None,
        sender: None,
    }
}

/// Divides trades into blocks of at most `max_ticks`, one hour each.
fn divide_into_blocks(trades: &[Trade], max_ticks: usize, append_ns: i64) -> Vec<TickBlock> {
    let hour_start_ns = |trade: &Trade| trade.time_ns - trade.time_ns.rem_euclid(HOUR_NS);
    let mut blocks: Vec<TickBlock> = Vec::new();
    for (offset, trade) in (0_u64..).zip(trades) {
        let fits = blocks.last().is_some_and(|block| {
            block.hour_ns == hour_start_ns(trade) && block.ticks.len() < max_ticks
        });
        if !fits {
            blocks.push(TickBlock {
                instrument: instrument(),
                hour_ns: hour_start_ns(trade),
                partition: 0,
                epoch: 1,
                ticks: Vec::with_capacity(max_ticks),
            });
        }
        let mut value = Vec::with_capacity(48);
        TradesTopicRecord::encode_trade(trade, &mut value);
        let tick = TickRecord {
            offset,
            // In a replay, many records have the same append time in milliseconds.
            append_time_ns: append_ns + i64::try_from(offset / 500).unwrap() * 1_000_000,
            time_ns: trade.time_ns,
            value: Bytes::from(value),
        };
        blocks.last_mut().unwrap().ticks.push(tick);
    }
    blocks
}

async fn measure(config: &ClickHouseConfig, trades: &[Trade], max_ticks: usize) {
    let client = Client::default()
        .with_url(&config.url)
        .with_database(&config.database);
    ClickHouseTickStore::migrate(config).await.unwrap();
    let store = ClickHouseTickStore::open(config).await.unwrap();
    let query_number = async |sql: &str| client.query_raw(sql).fetch_one::<u64>().await.unwrap();
    let now_s = query_number("SELECT toUInt64(toUnixTimestamp(now()))").await;
    let append_ns = i64::try_from(now_s).unwrap() * SECOND_NS - DAY_NS;
    let blocks = divide_into_blocks(trades, max_ticks, append_ns);
    let started = now();
    for group in group_into_inserts(&blocks, max_ticks) {
        store.insert(group).await.unwrap();
    }
    let writing = started.elapsed();
    let inserts = group_into_inserts(&blocks, max_ticks).count();

    let busiest = blocks.iter().max_by_key(|block| block.ticks.len()).unwrap();
    let minute = measure_read(&store, busiest.hour_ns + 30 * MINUTE_NS, MINUTE_NS).await;
    let hour = measure_read(&store, busiest.hour_ns, HOUR_NS).await;
    client
        .query_raw("OPTIMIZE TABLE trades FINAL")
        .execute()
        .await
        .unwrap();
    let bytes = query_number(
        "SELECT sum(bytes_on_disk) FROM system.parts \
         WHERE database = currentDatabase() AND table = 'trades' AND active",
    )
    .await;
    println!(
        "{:<22}{:>10.0}{:>12.1}{:>14.2}{:>16}{:>12}",
        format!("{} by {max_ticks}", trades.len()),
        trades.len() as f64 / writing.as_secs_f64(),
        writing.as_secs_f64() * 1e3 / inserts as f64,
        bytes as f64 / trades.len() as f64,
        minute,
        hour,
    );
    if max_ticks > 10_000 {
        print_column_sizes(&client, trades.len()).await;
    }
    let system_client = client.clone().with_database("system");
    let dropped = system_client
        .query("DROP DATABASE ? SYNC")
        .bind(Identifier(&config.database));
    dropped.execute().await.unwrap();
}

/// Groups blocks into inserts of at most `max_ticks` ticks.
fn group_into_inserts(
    blocks: &[TickBlock],
    max_ticks: usize,
) -> impl Iterator<Item = &[TickBlock]> {
    let mut rest = blocks;
    std::iter::from_fn(move || {
        let mut ticks = 0;
        let fitting = rest.iter().take_while(|block| {
            ticks += block.ticks.len();
            ticks <= max_ticks
        });
        let count = fitting.count().max(1).min(rest.len());
        let (group, later) = rest.split_at(count);
        rest = later;
        (!group.is_empty()).then_some(group)
    })
}

/// Reads `[start, start + length)` five times. Returns the median time, and the number of ticks.
async fn measure_read(store: &ClickHouseTickStore, start_ns: i64, length_ns: i64) -> String {
    let mut spent = Vec::new();
    let mut ticks = 0;
    for _ in 0..5 {
        let started = now();
        let read = store
            .read(&instrument(), start_ns, start_ns + length_ns)
            .await;
        spent.push(started.elapsed());
        ticks = read.unwrap().len();
    }
    spent.sort_unstable();
    let median: Duration = spent[spent.len() / 2];
    format!("{:.1} ({ticks})", median.as_secs_f64() * 1e3)
}

/// Prints the size of the largest columns.
async fn print_column_sizes(client: &Client, ticks: usize) {
    let sql = "SELECT name, data_compressed_bytes FROM system.columns \
        WHERE database = currentDatabase() AND table = 'trades' AND data_compressed_bytes > 0 \
        ORDER BY data_compressed_bytes DESC LIMIT 8";
    let columns: Vec<(String, u64)> = client.query_raw(sql).fetch_all().await.unwrap();
    for (name, bytes) in columns {
        println!(
            "  {name:<20}{:>10.2} bytes/tick",
            bytes as f64 / ticks as f64
        );
    }
}
