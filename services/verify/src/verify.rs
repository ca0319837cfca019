//! A whole run, from the command line to the exit status.

use std::collections::HashMap;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clock::{Clock, SystemClock};
use market::VenueSettings;
use store::{BarReader, ClickHouseTickStore, SymbolQuery, SymbolRow, TickStore, TimescaleBarStore};

use crate::arguments::{VerifyArgs, VerifyTarget};
use crate::partitions::request_trades_topic;
use crate::progress::ProgressDisplay;
use crate::report::VerifyReport;
use crate::snapshot::VerifySnapshot;
use crate::standstill::{find_standing_partitions, find_unfolded_in_folder_unless_locked};
use crate::symbol_checker::SymbolChecker;

/// The number of symbols that are read at once.
const SYMBOL_PAGE: u32 = 1_000;

/// Runs `candlewick verify`: compares every bar with its ticks and prints the report.
///
/// # Errors
/// If a store cannot be read, or the ticks do not reach the bars in time.
pub fn run(mut arguments: VerifyArgs) -> anyhow::Result<ExitCode> {
    if let Err(error) = arguments.check_combinations() {
        eprintln!("candlewick: {error}");
        return Ok(ExitCode::from(host::EXIT_USAGE));
    }
    let target = arguments.read_target().map_err(host::StartupError::from)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let report = runtime.block_on(verify_target(&arguments, &target, SystemClock))?;
    drop(arguments);
    // A closed standard output does not change the outcome.
    let _ = std::io::stdout().write_all(report.to_string().as_bytes());
    match report.is_success() {
        true => Ok(ExitCode::SUCCESS),
        false => Ok(ExitCode::FAILURE),
    }
}

/// Compares the bars of a data folder or a cluster with their ticks.
pub(crate) async fn verify_target<C: Clock>(
    arguments: &VerifyArgs,
    target: &VerifyTarget,
    clock: C,
) -> anyhow::Result<VerifyReport> {
    let begin_ns = clock.monotonic_ns();
    let progress = ProgressDisplay::new(arguments.no_progress);
    let max_wait = arguments.wait;
    let mut report = match target {
        VerifyTarget::Folder(path) => {
            let snapshot =
                VerifySnapshot::from_folder_with_ticks_archived(path, max_wait, &clock, &progress)
                    .await?;
            let mut report =
                compare_all_bars(arguments, target, &snapshot, &clock, &progress).await?;
            let folded = &snapshot.first_unfolded_positions;
            report.standing = find_unfolded_in_folder_unless_locked(path, folded, &clock).await?;
            report
        }
        VerifyTarget::Cluster(config) => {
            let bars = TimescaleBarStore::open(config.timescaledb.clone()).await?;
            let ticks = ClickHouseTickStore::open(&config.clickhouse).await?;
            let topic = request_trades_topic(config).await?;
            let partitions = topic.partition_count();
            let stores = (&bars, ticks);
            let snapshot =
                VerifySnapshot::from_stores(stores, partitions, max_wait, &clock, &progress)
                    .await?;
            let mut report =
                compare_all_bars(arguments, target, &snapshot, &clock, &progress).await?;
            let log = topic.open_log(0)?;
            let folded = &snapshot.first_unfolded_positions;
            report.standing =
                find_standing_partitions((&topic, &log), &bars, folded, &clock).await?;
            kafka::drop_clients((log, topic), &clock).await;
            report
        }
    };
    report.duration = Duration::from_nanos(clock.monotonic_ns().saturating_sub(begin_ns));
    Ok(report)
}

async fn compare_all_bars<R: BarReader, T: TickStore, C: Clock>(
    arguments: &VerifyArgs,
    target: &VerifyTarget,
    snapshot: &VerifySnapshot<R, T>,
    clock: &C,
    progress: &ProgressDisplay,
) -> anyhow::Result<VerifyReport> {
    let symbols = read_symbols(&snapshot.bars, arguments).await?;
    if symbols.is_empty() && arguments.filters_by_venue_or_symbol() {
        bail!(
            "there is no such symbol in {target}; trades that were just sent are folded within a \
             second"
        );
    }
    let days = arguments.time_range().bounds_of_touched_days();
    let mut tick_count = 0;
    for symbol in &symbols {
        let instrument = &symbol.instrument;
        let hours = snapshot
            .ticks
            .hours_with_tick_count_upper_bounds(instrument, days.0, days.1)
            .await?;
        tick_count += hours.iter().map(|(_, rows)| rows).sum::<u64>();
    }
    progress.start_checking(tick_count);
    let venues = read_venue_settings(&snapshot.bars).await?;
    let mut checker = SymbolChecker::new(snapshot, arguments.time_range(), clock, progress);
    for symbol in &symbols {
        let venue = symbol.instrument.venue();
        let settings = venues.get(venue).copied();
        let checked = checker.check_symbol(symbol, settings).await;
        checked.with_context(|| format!("cannot check {}", symbol.instrument))?;
    }
    Ok(checker.into_report())
}

/// Returns the settings of every venue, by its name.
async fn read_venue_settings<R: BarReader>(
    bars: &R,
) -> anyhow::Result<HashMap<String, VenueSettings>> {
    let rows = bars.venues().await?.into_iter();
    let named = rows.map(|row| (row.venue.as_str().to_owned(), row.settings));
    Ok(named.collect())
}

/// Returns the symbols that the command line selects, in order of their keys.
async fn read_symbols<R: BarReader>(
    bars: &R,
    arguments: &VerifyArgs,
) -> anyhow::Result<Vec<SymbolRow>> {
    let mut symbols: Vec<SymbolRow> = Vec::new();
    let mut after = None;
    loop {
        let query = SymbolQuery {
            venue: arguments.venue.clone(),
            after,
            limit: SYMBOL_PAGE,
        };
        let page = bars.symbols(&query).await?;
        let Some(last) = page.last() else {
            return Ok(symbols);
        };
        after = Some(last.instrument.clone());
        symbols.extend(
            page.into_iter()
                .filter(|row| arguments.symbol_filter_matches(row)),
        );
    }
}
