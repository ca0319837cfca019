//! Sustained load: tapes are replayed into a durable `standalone` while its API is queried.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::ensure;
use client::RestClient;
use clock::{Clock, SystemClock};

use super::processes::{StandaloneProcess, replay_tape};
use super::table::{FigureTable, format_as_milliseconds, format_rate_in_millions, quantile};
use super::tape;

/// How long to wait between two samples.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(50);

/// What was measured during the load.
#[derive(Default)]
struct LoadSamples {
    query_us: Vec<u64>,
    resident_kib: Vec<u64>,
    failed_queries: u64,
}

pub(super) fn measure_load(
    folder: &Path,
    seconds: u64,
    table: &mut FigureTable,
) -> anyhow::Result<()> {
    let path = folder.join("bench.csv");
    tape::write_generated_tape(&path)?;
    let standalone = StandaloneProcess::start(&folder.join("load"))?;
    let rest = standalone.rest_client()?;
    replay_tape(&path, "first", &standalone.url)?;
    let (is_done, clock) = (AtomicBool::new(false), SystemClock);
    let start_ns = clock.monotonic_ns();
    let (tapes_sent, samples) = std::thread::scope(|scope| {
        let sampler = scope.spawn(|| sample_until_done(&standalone, &rest, &is_done));
        let mut tapes_sent = 0;
        let result = loop {
            let elapsed_ns = clock.monotonic_ns() - start_ns;
            if elapsed_ns >= seconds * 1_000_000_000 {
                break Ok(());
            }
            let venue = format!("load{tapes_sent}");
            if let Err(error) = replay_tape(&path, &venue, &standalone.url) {
                break Err(error);
            }
            tapes_sent += 1;
        };
        is_done.store(true, Ordering::Relaxed);
        let samples = sampler.join().expect("the sampler does not panic");
        result.map(|()| (tapes_sent, samples))
    })?;
    let elapsed_seconds = (clock.monotonic_ns() - start_ns) as f64 / 1e9;
    let lag_seconds =
        wait_until_folded_and_measure_seconds(&rest, (tapes_sent + 1) * tape::TRADES)?;
    let trades = tapes_sent * tape::TRADES;
    add_load_figures(trades, elapsed_seconds, lag_seconds, samples, table);
    measure_idle_queries(&rest, table)
}

fn add_load_figures(
    trades: u64,
    elapsed_seconds: f64,
    lag_seconds: f64,
    mut samples: LoadSamples,
    table: &mut FigureTable,
) {
    let rate = trades as f64 / (elapsed_seconds + lag_seconds);
    table.add_and_print_budgeted_figure(
        &format!("standalone, durable log, bars and ticks, for {elapsed_seconds:.0} s"),
        &format!("{:.0} k trades/s", rate / 1e3),
        ">= 250 k (aim 500)",
        rate >= 250e3,
    );
    table.add_and_print_figure(
        "  trades sent and acknowledged",
        &format_rate_in_millions(trades, elapsed_seconds),
    );
    table.add_and_print_figure(
        "  until all was folded, after the last",
        &format!("{lag_seconds:.1} s"),
    );
    let third = (samples.resident_kib.len() / 3).max(1);
    let max_mib = |samples: &[u64]| samples.iter().max().copied().unwrap_or(0) / 1024;
    let (first, last) = (
        max_mib(&samples.resident_kib[..third]),
        max_mib(&samples.resident_kib[samples.resident_kib.len() - third..]),
    );
    table.add_and_print_budgeted_figure(
        "  memory, first third and last third of it",
        &format!("{first} MiB, {last} MiB"),
        "flat (within 15 %)",
        last <= first * 115 / 100,
    );
    samples.query_us.sort_unstable();
    let p50 = quantile(&samples.query_us, 500);
    let p99 = quantile(&samples.query_us, 990);
    let queries = samples.query_us.len();
    table.add_and_print_figure(
        &format!("  1,000 bars over REST meanwhile, {queries} queries, p50 p99"),
        &format!(
            "{} {}",
            format_as_milliseconds(p50),
            format_as_milliseconds(p99)
        ),
    );
    table.add_and_print_figure("  queries that failed", &samples.failed_queries.to_string());
}

/// Queries a thousand bars and reads the process's memory, repeatedly until `is_done`.
fn sample_until_done(
    standalone: &StandaloneProcess,
    rest: &RestClient,
    is_done: &AtomicBool,
) -> LoadSamples {
    let mut samples = LoadSamples::default();
    let mut number = 0;
    while !is_done.load(Ordering::Relaxed) {
        match measure_query_us(rest, number) {
            Ok(micros) => samples.query_us.push(micros),
            Err(_) => samples.failed_queries += 1,
        }
        samples.resident_kib.push(standalone.resident_kib());
        number += 1;
        std::thread::sleep(SAMPLE_INTERVAL);
    }
    samples
}

/// Returns how long a query for a thousand bars takes, in microseconds.
fn measure_query_us(rest: &RestClient, number: u64) -> anyhow::Result<u64> {
    let symbol = number * 37 % tape::SYMBOLS;
    let path =
        format!("/api/v1/bars/first/S{symbol}?interval=1m&limit=1000&start=2024-01-02T01:00:00Z");
    let start_ns = SystemClock.monotonic_ns();
    let response = rest.get(&path)?;
    let elapsed_ns = SystemClock.monotonic_ns() - start_ns;
    ensure!(response.status == 200, response.to_error());
    let bars = response.text().matches("\"start\"").count();
    ensure!(bars == 1_000, "{bars} bars instead of 1,000");
    Ok(elapsed_ns / 1_000)
}

/// Waits until `trades` trades are folded, and returns how many seconds this took.
fn wait_until_folded_and_measure_seconds(rest: &RestClient, trades: u64) -> anyhow::Result<f64> {
    let start_ns = SystemClock.monotonic_ns();
    loop {
        let response = rest.get("/metrics")?;
        let text = response.text();
        let lines = text.lines();
        let counters = lines.filter(|line| line.starts_with("candlewick_aggregator_trades_total{"));
        let folded = counters.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        let elapsed_seconds = (SystemClock.monotonic_ns() - start_ns) as f64 / 1e9;
        if folded.sum::<f64>() >= trades as f64 {
            return Ok(elapsed_seconds);
        }
        ensure!(
            elapsed_seconds < 120.0,
            "not folded two minutes after the last trade"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Measures the same queries without any load.
fn measure_idle_queries(rest: &RestClient, table: &mut FigureTable) -> anyhow::Result<()> {
    let mut micros = Vec::new();
    for number in 0..500 {
        micros.push(measure_query_us(rest, number)?);
    }
    micros.sort_unstable();
    let (p50, p99) = (quantile(&micros, 500), quantile(&micros, 990));
    table.add_and_print_budgeted_figure(
        "1,000 bars over REST, 500 queries of 100 symbols, p50 p99",
        &format!(
            "{} {}",
            format_as_milliseconds(p50),
            format_as_milliseconds(p99)
        ),
        "p99 <= 20 ms",
        p99 <= 20_000,
    );
    Ok(())
}
