//! `candlewick-bench`: measures this machine against the design's budgets.
//!
//! `candlewick bench` starts this program with the same arguments. It is a program of its own so
//! that `candlewick` does not link what only measurements need.

mod cluster;
mod ids;
mod latency;
mod load;
mod parts;
mod processes;
mod table;
mod tape;

use std::path::Path;
use std::process::ExitCode;

use aggregator::IdMemoryBudget;
use clap::Parser;

use cluster::ClusterBenchArgs;
use table::FigureTable;

/// Measure this machine against the budgets
///
/// Measures what one process can do, and prints it next to the budgets: standalone and replay run
/// as separate processes over a temporary folder, for about two minutes. With --timescaledb-url it
/// measures the cluster form instead.
#[derive(Debug, Parser)]
#[command(
    name = "candlewick-bench",
    bin_name = "candlewick bench",
    max_term_width = 100,
    after_long_help = cluster::HELP
)]
struct BenchArgs {
    /// How long the sustained load lasts, in seconds
    #[arg(long, default_value_t = 60, value_name = "N")]
    seconds: u64,
    /// Trades a second of the latency measurement [default: 100000, of a cluster 20000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(100..))]
    rate: Option<u64>,
    /// Only the parts in memory: fold, encode, decode
    #[arg(long)]
    parts_only: bool,
    /// Only unique ids: fold N million of them, 100,000 in each second of the log; print the memory
    /// after each minute of the log; then load all ids. An hour of the log has 360 million
    #[arg(long, value_name = "N", conflicts_with = "parts_only")]
    ids: Option<u64>,
    /// How much memory these ids may use, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = IdMemoryBudget::DEFAULT_BYTES)]
    id_memory_bytes: usize,
    #[command(flatten)]
    cluster: ClusterBenchArgs,
}

fn main() -> ExitCode {
    let arguments = match BenchArgs::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            let is_usage_error = error.use_stderr();
            return ExitCode::from(if is_usage_error { host::EXIT_USAGE } else { 0 });
        }
    };
    run(arguments).unwrap_or_else(|error| {
        eprintln!("candlewick: {error:#}");
        let known = error.downcast_ref::<host::StartupError>();
        ExitCode::from(known.map_or(1, host::StartupError::exit_code))
    })
}

/// Measures and prints.
fn run(arguments: BenchArgs) -> anyhow::Result<ExitCode> {
    let rate = arguments.rate;
    if let Some(millions) = arguments.ids {
        let mut table = FigureTable::default();
        in_temporary_folder(|folder| {
            ids::measure_ids(folder, millions, arguments.id_memory_bytes, &mut table)
        })?;
        table.print();
        return Ok(ExitCode::SUCCESS);
    }
    let cluster = arguments.cluster.read().map_err(host::StartupError::from)?;
    if let Some(settings) = cluster.filter(|_| !arguments.parts_only) {
        return cluster::measure_selected_parts(settings, rate.unwrap_or(20_000));
    }
    let mut table = FigureTable::default();
    parts::measure_parts_in_memory(&mut table);
    if !arguments.parts_only {
        let rate = rate.unwrap_or(100_000);
        in_temporary_folder(|folder| {
            measure_processes(arguments.seconds, rate, folder, &mut table)
        })?;
    }
    table.print();
    Ok(ExitCode::SUCCESS)
}

/// Calls `measure` with a new folder, and removes the folder.
fn in_temporary_folder(measure: impl FnOnce(&Path) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let folder = std::env::temp_dir().join(format!("candlewick-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let measured = measure(&folder);
    std::fs::remove_dir_all(&folder)?;
    measured
}

fn measure_processes(
    seconds: u64,
    rate: u64,
    folder: &Path,
    table: &mut FigureTable,
) -> anyhow::Result<()> {
    load::measure_load(folder, seconds, table)?;
    latency::measure_standalone_latency(folder, rate, table)
}
