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
/// as processes of their own over a temporary folder, for about two minutes.
///
/// With --timescaledb-url it measures the cluster form instead, on real servers, in topics and
/// databases of its own that it drops at the end. The user of TimescaleDB has to be allowed to
/// make databases. Its parts, of which --only chooses:
///
/// kafka: "Kafka to durable bars". --trades trades of 1,000 symbols lie in the topic. In turn, so
/// that both see the same machine, (a) a plain loop of rdkafka reads all partitions with one
/// consumer tuned as ours, decodes and folds in floats, and keeps nothing, and (b) `candlewick
/// aggregator` folds them into an empty database until its progress is at the end. Each is a
/// process of its own; the figure is trades by that process's user and system time from its
/// start, the median of the rounds. The budget is their ratio.
///
/// producer: a process makes trades, checks, encodes and appends them, 10,000 at once and 4
/// appends under way, as the API does after decoding a POST; by the clock, and by the CPU time of
/// that process.
///
/// stores: bars a second by the clock that one writer commits, 7,000 in a transaction, first all
/// new and then the same again; ticks a second by the clock that one writer inserts, in blocks of
/// 65,536 of 250 symbols.
///
/// lag: as many trades as come in --lag-seconds at --lag-rate are appended while nothing runs;
/// then aggregator and archiver start at once, and the time runs until all progress rows, and all
/// positions of the archiver, are at the end.
///
/// restart: 1,000 trades a second flow. An aggregator with --instance is killed and started again
/// at once: the time runs from the kill until a progress row moves again, and until all have. Then
/// of two with two instances one is killed and stays away: until the progress of its partitions
/// moves again.
///
/// latency: from before the POST of a trade to the API until a WebSocket client has read the
/// delta or the bar with it, through aggregator, Kafka and API, --rate a second of 100 symbols in
/// 100 batches.
///
/// Memory is the most that a process has held (VmHWM), read at the end of a part.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct BenchArgs {
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
pub(crate) fn run(arguments: BenchArgs) -> anyhow::Result<ExitCode> {
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
