//! `candlewick verify`: a second opinion on every stored bar.
//!
//! [`cut`] takes bars, progress and verdicts of one moment, and sees to it that the ticks are
//! there as far. [`check`] then walks symbol by symbol and day by day: it refolds the ticks one
//! by one, by [`market::Bar::merge`] alone and into every interval apart, and compares. Nothing
//! here is the aggregator's.

mod arguments;
mod check;
mod compare;
mod cut;
mod fold;
mod partitions;
mod progress;
mod report;
mod stored;
mod ticks;
mod verdicts;

use std::collections::HashMap;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clock::{Clock, SystemClock};
use market::VenueSettings;
use store::{BarReader, ClickHouseTickStore, SymbolQuery, SymbolRow, TickStore, TimescaleBarStore};

use self::arguments::Subject;
pub use self::arguments::VerifyArgs;
use self::check::Checker;
use self::cut::Cut;
use self::progress::Progress;
use self::report::Report;

/// How many symbols are read at once.
const SYMBOLS: u32 = 1_000;

/// Compares every bar with its ticks; succeeds only where all are equal.
pub fn run(mut arguments: VerifyArgs) -> anyhow::Result<ExitCode> {
    if let Err(wrong) = arguments.check() {
        eprintln!("candlewick: {wrong}");
        return Ok(ExitCode::from(host::EXIT_USAGE));
    }
    let subject = arguments.subject().map_err(host::Error::from)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let report = runtime.block_on(verify(&arguments, &subject, SystemClock))?;
    drop(arguments);
    // Nobody may be there to read it, which changes nothing.
    let _ = std::io::stdout().write_all(report.to_string().as_bytes());
    match report.is_equal() {
        true => Ok(ExitCode::SUCCESS),
        false => Ok(ExitCode::FAILURE),
    }
}

async fn verify<C: Clock>(
    arguments: &VerifyArgs,
    subject: &Subject,
    clock: C,
) -> anyhow::Result<Report> {
    let begin_ns = clock.monotonic_ns();
    let progress = Progress::new(arguments.no_progress);
    let patience = arguments.wait;
    let mut report = match subject {
        Subject::Folder(path) => {
            let cut = Cut::take(path, patience, &clock, &progress).await?;
            compare(arguments, subject, &cut, &clock, &progress).await?
        }
        Subject::Cluster(servers) => {
            let bars = TimescaleBarStore::open(servers.timescaledb.clone()).await?;
            let ticks = ClickHouseTickStore::open(&servers.clickhouse).await?;
            let partitions = partitions::of(servers).await?;
            let stores = (&bars, ticks);
            let cut = Cut::take_beside(stores, partitions, patience, &clock, &progress).await?;
            compare(arguments, subject, &cut, &clock, &progress).await?
        }
    };
    report.time = Duration::from_nanos(clock.monotonic_ns().saturating_sub(begin_ns));
    Ok(report)
}

async fn compare<R: BarReader, T: TickStore, C: Clock>(
    arguments: &VerifyArgs,
    subject: &Subject,
    cut: &Cut<R, T>,
    clock: &C,
    progress: &Progress,
) -> anyhow::Result<Report> {
    let symbols = symbols(&cut.bars, arguments).await?;
    if symbols.is_empty() && arguments.names_symbols() {
        bail!(
            "there is no such symbol in {subject}; trades that were just sent are folded within a \
             second"
        );
    }
    let days = arguments.range().days();
    let mut rows = 0;
    for symbol in &symbols {
        let hours = cut
            .ticks
            .hours_with_ticks(&symbol.instrument, days.0, days.1)
            .await?;
        rows += hours.iter().map(|(_, rows)| rows).sum::<u64>();
    }
    progress.begin(rows);
    let venues = venues(&cut.bars).await?;
    let mut checker = Checker::new(cut, arguments.range(), clock, progress);
    for symbol in &symbols {
        let venue = symbol.instrument.venue();
        let settings = venues.get(venue).copied();
        let checked = checker.check(symbol, settings).await;
        checked.with_context(|| format!("cannot check {}", symbol.instrument))?;
    }
    Ok(checker.into_report())
}

/// The settings of every venue, by its name.
async fn venues<R: BarReader>(bars: &R) -> anyhow::Result<HashMap<String, VenueSettings>> {
    let rows = bars.venues().await?.into_iter();
    let named = rows.map(|row| (row.venue.as_str().to_owned(), row.settings));
    Ok(named.collect())
}

/// The symbols that were asked for, in order of their keys.
async fn symbols<R: BarReader>(bars: &R, arguments: &VerifyArgs) -> anyhow::Result<Vec<SymbolRow>> {
    let mut symbols: Vec<SymbolRow> = Vec::new();
    let mut after = None;
    loop {
        let query = SymbolQuery {
            venue: arguments.venue.clone(),
            after,
            limit: SYMBOLS,
        };
        let page = bars.symbols(&query).await?;
        let Some(last) = page.last() else {
            return Ok(symbols);
        };
        after = Some(last.instrument.key().to_owned());
        symbols.extend(page.into_iter().filter(|row| arguments.asks_for(row)));
    }
}

#[cfg(test)]
mod tests;
