//! Sustained load: replay into standalone, durable, while the API answers.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clock::{Clock, SystemClock};

use super::child::{Standalone, replay};
use super::table::{Table, millions, milliseconds, quantile};
use super::tape;

/// What was seen beside the load.
#[derive(Default)]
struct Seen {
    query_us: Vec<u64>,
    resident_kib: Vec<u64>,
    failed: u64,
}

pub(super) fn measure(folder: &Path, seconds: u64, table: &mut Table) -> anyhow::Result<()> {
    let path = folder.join("bench.csv");
    tape::write(&path)?;
    let standalone = Standalone::start(&folder.join("load"))?;
    replay(&path, "first", &standalone.url)?;
    let (done, clock) = (AtomicBool::new(false), SystemClock);
    let start_ns = clock.monotonic_ns();
    let (sent, seen) = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| watch(&standalone, &done));
        let mut sent = 0;
        let result = loop {
            let spent_ns = clock.monotonic_ns() - start_ns;
            if spent_ns >= seconds * 1_000_000_000 {
                break Ok(());
            }
            let venue = format!("load{sent}");
            if let Err(error) = replay(&path, &venue, &standalone.url) {
                break Err(error);
            }
            sent += 1;
        };
        done.store(true, Ordering::Relaxed);
        let seen = watcher.join().expect("the watcher does not panic");
        result.map(|()| (sent, seen))
    })?;
    let spent = (clock.monotonic_ns() - start_ns) as f64 / 1e9;
    let lag_seconds = drain(&standalone, sent)?;
    report(sent * tape::TRADES, spent, lag_seconds, seen, table);
    cold(&standalone, table)
}

fn report(trades: u64, spent: f64, lag_seconds: f64, mut seen: Seen, table: &mut Table) {
    let rate = trades as f64 / (spent + lag_seconds);
    table.budget(
        &format!("standalone, durable log, bars and ticks, for {spent:.0} s"),
        &format!("{:.0} k trades/s", rate / 1e3),
        ">= 250 k (aim 500)",
        rate >= 250e3,
    );
    table.figure("  trades sent and acknowledged", &millions(trades, spent));
    table.figure(
        "  until all was folded, after the last",
        &format!("{lag_seconds:.1} s"),
    );
    let third = seen.resident_kib.len() / 3;
    let most = |samples: &[u64]| samples.iter().max().copied().unwrap_or(0) / 1024;
    let (first, last) = (
        most(&seen.resident_kib[..third.max(1)]),
        most(&seen.resident_kib[seen.resident_kib.len() - third.max(1)..]),
    );
    table.budget(
        "  memory, first third and last third of it",
        &format!("{first} MiB, {last} MiB"),
        "flat (within 15 %)",
        last <= first * 115 / 100,
    );
    seen.query_us.sort_unstable();
    let (p50, p99) = (quantile(&seen.query_us, 500), quantile(&seen.query_us, 990));
    let queries = seen.query_us.len();
    table.figure(
        &format!("  1,000 bars over REST meanwhile, {queries} queries, p50 p99"),
        &format!("{} {}", milliseconds(p50), milliseconds(p99)),
    );
    table.figure("  queries that failed", &seen.failed.to_string());
}

/// Asks for a thousand bars again and again, and looks at the memory.
fn watch(standalone: &Standalone, done: &AtomicBool) -> Seen {
    let (mut seen, agent) = (Seen::default(), ureq::agent());
    let mut number = 0;
    while !done.load(Ordering::Relaxed) {
        match query(&agent, standalone, number) {
            Ok(micros) => seen.query_us.push(micros),
            Err(_) => seen.failed += 1,
        }
        seen.resident_kib.push(standalone.resident_kib());
        number += 1;
        std::thread::sleep(Duration::from_millis(50));
    }
    seen
}

/// Microseconds of one query for a thousand bars.
fn query(agent: &ureq::Agent, standalone: &Standalone, number: u64) -> anyhow::Result<u64> {
    let symbol = number * 37 % tape::SYMBOLS;
    let url = format!(
        "{}/api/v1/bars/first/S{symbol}?interval=1m&limit=1000&start=2024-01-02T01:00:00Z",
        standalone.url
    );
    let start_ns = SystemClock.monotonic_ns();
    let body = agent.get(&url).call()?.body_mut().read_to_string()?;
    let spent_ns = SystemClock.monotonic_ns() - start_ns;
    let bars = body.matches("\"start\"").count();
    anyhow::ensure!(bars == 1_000, "{bars} bars instead of 1,000");
    Ok(spent_ns / 1_000)
}

/// Seconds until everything that was sent is folded.
fn drain(standalone: &Standalone, sent: u64) -> anyhow::Result<f64> {
    let start_ns = SystemClock.monotonic_ns();
    let wanted = (sent + 1) * tape::TRADES;
    loop {
        let text = ureq::get(format!("{}/metrics", standalone.url))
            .call()?
            .body_mut()
            .read_to_string()?;
        let lines = text.lines();
        let counted = lines.filter(|line| line.starts_with("candlewick_aggregator_trades_total{"));
        let counted = counted.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        let spent = (SystemClock.monotonic_ns() - start_ns) as f64 / 1e9;
        if counted.sum::<f64>() >= wanted as f64 {
            return Ok(spent);
        }
        anyhow::ensure!(spent < 120.0, "not folded two minutes after the last trade");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The same queries with nothing else going on.
fn cold(standalone: &Standalone, table: &mut Table) -> anyhow::Result<()> {
    let agent = ureq::agent();
    let mut micros = Vec::new();
    for number in 0..500 {
        micros.push(query(&agent, standalone, number)?);
    }
    micros.sort_unstable();
    let (p50, p99) = (quantile(&micros, 500), quantile(&micros, 990));
    table.budget(
        "1,000 bars over REST, 500 queries of 100 symbols, p50 p99",
        &format!("{} {}", milliseconds(p50), milliseconds(p99)),
        "p99 <= 20 ms",
        p99 <= 20_000,
    );
    Ok(())
}
