//! Unique ids: their memory at a steady rate, and loading them.

mod workload;

use std::path::Path;

use anyhow::Context;
use clock::{Clock, SystemClock};
use store::{BarReader, IdSegmentKey, IdSetKey, SegmentIds, SqliteBarStore};

use self::workload::{IdWorkload, SYMBOLS};
use super::table::FigureTable;

/// The trades of a second, in the time of the log.
const RATE: u64 = 100_000;
/// How many segments are loaded with one call.
const SEGMENTS_A_CALL: usize = 64;

/// Folds `millions` million trades with unique numeric ids, [`RATE`] in each second of the log,
/// commits twice a second of the log to a SQLite store, and prints the memory after each minute.
/// Then it loads what a new worker needs, and all ids.
pub(super) fn measure_ids(
    folder: &Path,
    millions: u64,
    limit_bytes: usize,
    table: &mut FigureTable,
) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let path = folder.join("bars.sqlite");
    let count = millions * 1_000_000;
    runtime.block_on(async {
        let store = SqliteBarStore::open(&path).await?;
        let mut workload = IdWorkload::restore(&store, 0).await?;
        workload.limit_memory(limit_bytes);
        fold_and_print_minutes(&mut workload, &store, count, table).await?;
        drop(workload);
        measure_takeover(&store, count, limit_bytes, table).await?;
        measure_loading_all(&store, table).await
    })
}

async fn fold_and_print_minutes(
    workload: &mut IdWorkload,
    store: &SqliteBarStore,
    count: u64,
    table: &mut FigureTable,
) -> anyhow::Result<()> {
    let begin_kib = resident_kib();
    println!(
        "| minute of the log | ids, millions | resident memory, MiB | of it ids, MiB | loads |"
    );
    println!("| ---: | ---: | ---: | ---: | ---: |");
    let start_ns = SystemClock.monotonic_ns();
    let mut minute = 0;
    while workload.folded_trade_count() < count {
        workload.fold_and_commit(store, RATE / 2).await?;
        if workload.folded_trade_count() / (RATE * 60) > minute
            || workload.folded_trade_count() >= count
        {
            minute = workload.folded_trade_count() / (RATE * 60);
            println!(
                "| {minute} | {} | {} | {} | {} |",
                workload.folded_trade_count() / 1_000_000,
                resident_kib() / 1_024,
                workload.id_memory_bytes() >> 20,
                workload.segment_load_count(),
            );
        }
    }
    let seconds = (SystemClock.monotonic_ns() - start_ns) as f64 / 1e9;
    let grown_bytes = resident_kib().saturating_sub(begin_kib) * 1_024;
    table.add_and_print_figure(
        &format!("{count} unique ids of {SYMBOLS} symbols folded and committed"),
        &format!("{seconds:.1} s"),
    );
    let ids_bytes = workload.id_memory_bytes() as f64;
    table.add_and_print_figure(
        "  memory of ids, by all ids",
        &format!("{:.2} bytes", ids_bytes / count as f64),
    );
    table.add_and_print_figure(
        "  resident memory that was added",
        &format!("{} MiB", grown_bytes >> 20),
    );
    Ok(())
}

/// Measures how long a new worker takes from nothing in memory until it has folded a second of
/// trades, after the `trade_count` trades that the store holds.
async fn measure_takeover(
    store: &SqliteBarStore,
    trade_count: u64,
    limit_bytes: usize,
    table: &mut FigureTable,
) -> anyhow::Result<()> {
    let start_ns = SystemClock.monotonic_ns();
    let mut workload = IdWorkload::restore(store, trade_count).await?;
    workload.limit_memory(limit_bytes);
    workload.fold_and_commit(store, RATE).await?;
    let seconds = (SystemClock.monotonic_ns() - start_ns) as f64 / 1e9;
    table.add_and_print_figure(
        &format!("a new worker's first {RATE} trades, loads and commit included"),
        &format!("{seconds:.2} s"),
    );
    table.add_and_print_figure(
        "  segments loaded",
        &format!("{}", workload.segment_load_count()),
    );
    Ok(())
}

/// Reads every segment of every set.
async fn measure_loading_all(
    store: &SqliteBarStore,
    table: &mut FigureTable,
) -> anyhow::Result<()> {
    let keys = workload::possible_id_set_keys(store).await?;
    let start_ns = SystemClock.monotonic_ns();
    let (mut ids, mut bytes, mut greatest_kib) = (0, 0, 0);
    for set in &keys {
        let mut rows = store.id_sets(std::slice::from_ref(set)).await?;
        let row = rows.pop().context("a set was requested")?;
        bytes += row.segments.iter().map(|one| one.stored_bytes).sum::<u64>();
        for segments in row.segments.chunks(SEGMENTS_A_CALL) {
            let segments = segments.iter().map(|segment| IdSegmentKey {
                set: IdSetKey::clone(set),
                start: segment.start,
            });
            for segment in store.id_segments(&segments.collect::<Vec<_>>()).await? {
                ids += match segment.ids {
                    SegmentIds::Numbers(numbers) => numbers.len() as u64,
                    SegmentIds::Digests(digests) => digests.len() as u64,
                };
            }
            greatest_kib = resident_kib().max(greatest_kib);
        }
    }
    let seconds = (SystemClock.monotonic_ns() - start_ns) as f64 / 1e9;
    table.add_and_print_figure(&format!("all {ids} ids loaded"), &format!("{seconds:.1} s"));
    table.add_and_print_figure(
        "  bytes stored, by id",
        &format!("{:.2} bytes", bytes as f64 / ids as f64),
    );
    table.add_and_print_figure(
        "  resident memory at the most",
        &format!("{} MiB", greatest_kib / 1_024),
    );
    Ok(())
}

/// Returns the resident memory of this process, in KiB.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}
