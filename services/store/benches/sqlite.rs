//! Measures the SQLite stores: commits of bars by their size, ticks written and read.
//!
//! `cargo bench -p candlewick-store --bench sqlite`
#![expect(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a benchmark may stop, and its figures are rounded"
)]

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use candlewick_store::{
    BarStore, CommitOutcome, PartitionProgress, PartitionTransaction, SqliteBarStore,
    SqliteTickStore, StoredBar, TickBlock, TickRecord, TickStore,
};
use market::{
    Bar, BarRow, HOUR_NS, Instrument, Interval, MINUTE_NS, Position, SECOND_NS, Side, Trade,
    TradeId,
};
use schemas::TradesTopicRecord;

const START_NS: i64 = 1_790_000_000 * SECOND_NS / HOUR_NS * HOUR_NS;

fn main() {
    let folder = tempfile::tempdir_in(".").unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    runtime.block_on(async {
        println!("{:<44}{:>12}{:>14}", "bars", "ms/commit", "rows/s");
        measure_bars(folder.path(), 100, false).await;
        measure_bars(folder.path(), 1_000, false).await;
        measure_bars(folder.path(), 1_000, true).await;
        println!(
            "\n{:<44}{:>12}{:>14}{:>14}",
            "ticks", "in/s", "out/s", "bytes/tick"
        );
        measure_ticks(folder.path(), 1, 60_000).await;
        measure_ticks(folder.path(), 100, 1_000).await;
        measure_ticks(folder.path(), 1_000, 50).await;
    });
}

#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark measures with the real clock"
)]
fn now() -> Instant {
    Instant::now()
}

fn instrument(number: usize) -> Instrument {
    format!("binance:SYMBOL{number:04}USDT").parse().unwrap()
}

fn trade(number: u64) -> Trade {
    Trade {
        time_ns: START_NS + i64::try_from(number).unwrap() * 1_000_003 % HOUR_NS,
        price: format!("{}.{:02}", 60_000 + number % 1_000, number * 7 % 100)
            .parse()
            .unwrap(),
        quantity: Some(
            format!("0.{:05}", 1 + number * 7_919 % 99_999)
                .parse()
                .unwrap(),
        ),
        side: Some(if number.is_multiple_of(3) {
            Side::Buy
        } else {
            Side::Sell
        }),
        id: Some(TradeId::Number(3_000_000_000 + number)),
        scope: None,
        sender: None,
    }
}

/// Measures commits of one open bar per interval and symbol; with `closing`, each commit closes
/// them.
async fn measure_bars(folder: &Path, symbols: usize, closing: bool) {
    const COMMITS: u64 = 20;
    let path = folder.join(format!("bars-{symbols}-{closing}.sqlite"));
    let store = SqliteBarStore::open(&path).await.unwrap();
    store.load_or_create_partition(0, 0).await.unwrap();
    let instruments: Vec<_> = (0..symbols).map(instrument).collect();
    let rows = symbols * Interval::ALL.len();
    let mut durations = Vec::new();
    for number in 0..COMMITS {
        let start_ns = START_NS + i64::try_from(number).unwrap() * MINUTE_NS * i64::from(closing);
        let transaction = PartitionTransaction {
            expected: Position {
                epoch: 0,
                offset: number,
            },
            progress: PartitionProgress {
                partition: 0,
                epoch: 0,
                next_offset: number + 1,
                updates_position: Position::default(),
                append_time_ns: 0,
            },
            bars: instruments
                .iter()
                .flat_map(|instrument| Interval::ALL.map(|interval| (instrument, interval)))
                .map(|(instrument, interval)| bar(instrument, interval, start_ns, number, closing))
                .collect(),
            symbols: Vec::new(),
            venues: Vec::new(),
            id_sets: Vec::new(),
            excluded_ranges: Vec::new(),
            excluded_amendments: Vec::new(),
            dirty_minutes: Vec::new(),
            pending_amendments: Vec::new(),
        };
        let started = now();
        assert_eq!(
            store.commit(&transaction).await.unwrap(),
            CommitOutcome::Committed
        );
        durations.push(started.elapsed());
    }
    durations.sort_unstable();
    let total: Duration = durations.iter().sum();
    let name = if closing {
        "a bar closed each"
    } else {
        "open bars"
    };
    println!(
        "{:<44}{:>12.1}{:>14.0}   median {:.1}, worst {:.1} ms",
        format!("{rows} rows, {name}"),
        total.as_secs_f64() * 1e3 / COMMITS as f64,
        rows as f64 * COMMITS as f64 / total.as_secs_f64(),
        durations[durations.len() / 2].as_secs_f64() * 1e3,
        durations[durations.len() - 1].as_secs_f64() * 1e3,
    );
}

fn bar(
    instrument: &Instrument,
    interval: Interval,
    start_ns: i64,
    number: u64,
    closed: bool,
) -> StoredBar {
    let position = Position {
        epoch: 0,
        offset: number,
    };
    let mut window = interval.window_containing(start_ns);
    if closed {
        // Each commit has a new bar of each interval, as in the worst case.
        window.start_ns += i64::try_from(number).unwrap() * interval.length_ns();
    }
    StoredBar {
        instrument: instrument.clone(),
        row: BarRow {
            window,
            bar: Bar::from_trade(&trade(number), position, START_NS),
            closed,
            revision: 0,
            provable: true,
            through: position,
        },
    }
}

/// Measures inserts of a number of instruments with `ticks_each` ticks each, up to a million ticks.
async fn measure_ticks(folder: &Path, instruments: usize, ticks_each: usize) {
    const TOTAL: usize = 1_000_000;
    let path = folder.join(format!("ticks-{instruments}-{ticks_each}.sqlite"));
    let store = SqliteTickStore::open(&path).await.unwrap();
    let inserts = TOTAL / (instruments * ticks_each);
    let mut writing = Duration::ZERO;
    for number in 0..inserts {
        let blocks: Vec<_> = (0..instruments)
            .map(|instrument_index| block(instrument_index, number, ticks_each))
            .collect();
        let started = now();
        store.insert(&blocks).await.unwrap();
        writing += started.elapsed();
    }
    let started = now();
    store.sync().await.unwrap();
    writing += started.elapsed();
    let started = now();
    let mut read = 0;
    for instrument_index in 0..instruments {
        let ticks = store
            .read(&instrument(instrument_index), i64::MIN, i64::MAX)
            .await
            .unwrap();
        read += ticks.len();
    }
    let reading = started.elapsed();
    let total = inserts * instruments * ticks_each;
    assert_eq!(read, total);
    let bytes = std::fs::metadata(&path).unwrap().len()
        + std::fs::metadata(path.with_extension("sqlite-wal")).map_or(0, |file| file.len());
    println!(
        "{:<44}{:>12.0}{:>14.0}{:>14.1}",
        format!("{instruments} x {ticks_each} ticks an insert"),
        total as f64 / writing.as_secs_f64(),
        total as f64 / reading.as_secs_f64(),
        bytes as f64 / total as f64,
    );
}

fn block(instrument_index: usize, number: usize, ticks_each: usize) -> TickBlock {
    let ticks = (0..ticks_each).map(|row| {
        let offset = (number * ticks_each + row) as u64;
        let trade = trade(offset);
        let mut value = Vec::with_capacity(48);
        TradesTopicRecord::encode_trade(&trade, &mut value);
        TickRecord {
            offset,
            append_time_ns: START_NS + i64::try_from(offset).unwrap() * 1_000,
            time_ns: trade.time_ns,
            value: Bytes::from(value),
        }
    });
    TickBlock {
        instrument: instrument(instrument_index),
        hour_ns: START_NS,
        partition: 0,
        epoch: 0,
        ticks: ticks.collect(),
    }
}
