//! `candlewick bench`: the design's budgets, measured on this machine.

mod child;
mod latency;
mod load;
mod parts;
mod table;
mod tape;

use std::process::ExitCode;

use clap::Args;

use table::Table;

/// Measures what one process can do, and prints it beside the budgets. Runs standalone and
/// replay as processes of their own over a temporary folder; takes about two minutes.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// How long the sustained load lasts, in seconds
    #[arg(long, default_value_t = 60, value_name = "N")]
    seconds: u64,
    /// Trades a second of the latency measurement
    #[arg(long, default_value_t = 100_000, value_name = "N")]
    rate: u64,
    /// Only the parts in memory: fold, encode, decode
    #[arg(long)]
    parts_only: bool,
}

/// Measures and prints.
pub(crate) fn run(arguments: &BenchArgs) -> anyhow::Result<ExitCode> {
    let mut table = Table::default();
    parts::measure(&mut table);
    if !arguments.parts_only {
        let folder = std::env::temp_dir().join(format!("candlewick-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let measured = measure(arguments, &folder, &mut table);
        std::fs::remove_dir_all(&folder)?;
        measured?;
    }
    table.print();
    Ok(ExitCode::SUCCESS)
}

fn measure(
    arguments: &BenchArgs,
    folder: &std::path::Path,
    table: &mut Table,
) -> anyhow::Result<()> {
    load::measure(folder, arguments.seconds, table)?;
    latency::measure(folder, arguments.rate, table)
}
