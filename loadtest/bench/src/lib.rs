//! `candlewick bench`: the design's budgets, measured on this machine.

mod child;
mod cluster;
mod latency;
mod load;
mod parts;
mod table;
mod tape;

use std::process::ExitCode;

use clap::Args;

use cluster::ClusterBenchArgs;
use table::Table;

/// Measures what one process can do, and prints it beside the budgets: standalone and replay run
/// as processes of their own over a temporary folder, for about two minutes. With
/// --timescaledb-url it measures the cluster form instead.
#[derive(Debug, Args)]
#[command(after_long_help = cluster::HELP)]
pub struct BenchArgs {
    /// How long the sustained load lasts, in seconds
    #[arg(long, default_value_t = 60, value_name = "N")]
    seconds: u64,
    /// Trades a second of the latency measurement [default: 100000, of a cluster 20000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(100..))]
    rate: Option<u64>,
    /// Only the parts in memory: fold, encode, decode
    #[arg(long)]
    parts_only: bool,
    #[command(flatten)]
    cluster: ClusterBenchArgs,
}

/// Measures and prints.
pub fn run(arguments: BenchArgs) -> anyhow::Result<ExitCode> {
    let rate = arguments.rate;
    let cluster = arguments.cluster.read().map_err(host::Error::from)?;
    if let Some(settings) = cluster.filter(|_| !arguments.parts_only) {
        return cluster::run(settings, rate.unwrap_or(20_000));
    }
    let mut table = Table::default();
    parts::measure(&mut table);
    if !arguments.parts_only {
        let folder = std::env::temp_dir().join(format!("candlewick-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let rate = rate.unwrap_or(100_000);
        let measured = measure(arguments.seconds, rate, &folder, &mut table);
        std::fs::remove_dir_all(&folder)?;
        measured?;
    }
    table.print();
    Ok(ExitCode::SUCCESS)
}

fn measure(
    seconds: u64,
    rate: u64,
    folder: &std::path::Path,
    table: &mut Table,
) -> anyhow::Result<()> {
    load::measure(folder, seconds, table)?;
    latency::measure(folder, rate, table)
}
