//! The part lag: catching up with a topic.

use std::time::Duration;

use clock::{Clock, SystemClock};

use super::cluster_bench::ClusterBench;
use super::produce::fill_topic;
use super::progress::{wait_until_archived, wait_until_folded};
use super::role::RoleProcess;
use super::sandbox::Sandbox;
use super::wait::seconds_since;
use crate::table::format_rate_in_millions;

/// How long catching up may take.
const TIMEOUT: Duration = Duration::from_secs(3_600);

/// How long catching up took, and how much memory.
struct CatchUpResult {
    folded_seconds: f64,
    archived_seconds: f64,
    aggregator_memory: String,
    archiver_memory: String,
}

/// Appends while no role runs, then starts the roles and measures until they have caught up.
pub(super) fn measure_catching_up(bench: &mut ClusterBench) -> anyhow::Result<()> {
    bench.measure_in_sandbox("lag", |bench, sandbox| {
        let (seconds, rate) = (bench.settings.lag_seconds, bench.settings.lag_rate);
        let trades = seconds * rate;
        let filled = fill_topic(bench, sandbox, trades, seconds)?;
        println!(
            "  {trades} trades appended in {:.1} s; catching up",
            filled.report.seconds
        );
        let caught_up = bench.runtime.block_on(start_roles_and_measure_catch_up(
            sandbox,
            &filled.partition_ends,
        ))?;
        let table = &mut bench.table;
        let thousands = rate / 1_000;
        table.add_and_print_figure(
            &format!("catching up {seconds} s of {thousands} k trades/s: bars"),
            &format!("{:.1} s", caught_up.folded_seconds),
        );
        table.add_and_print_figure(
            "  trades folded a second meanwhile",
            &format_rate_in_millions(trades, caught_up.folded_seconds),
        );
        table.add_and_print_figure("  ticks", &format!("{:.1} s", caught_up.archived_seconds));
        table.add_and_print_figure(
            "  memory of the aggregator at the most",
            &caught_up.aggregator_memory,
        );
        table.add_and_print_figure(
            "  memory of the archiver at the most",
            &caught_up.archiver_memory,
        );
        Ok(())
    })
}

async fn start_roles_and_measure_catch_up(
    sandbox: &Sandbox,
    ends: &[u64],
) -> anyhow::Result<CatchUpResult> {
    let (bars, ticks) = (
        sandbox.open_bar_store().await?,
        sandbox.open_tick_store().await?,
    );
    let start_ns = SystemClock.monotonic_ns();
    let aggregator = RoleProcess::start(sandbox, "aggregator", None)?;
    let archiver = RoleProcess::start(sandbox, "archiver", None)?;
    let fold = async {
        wait_until_folded(&bars, ends, &aggregator, TIMEOUT).await?;
        anyhow::Ok(seconds_since(start_ns))
    };
    let archive = async {
        wait_until_archived(&ticks, ends, &archiver, TIMEOUT).await?;
        anyhow::Ok(seconds_since(start_ns))
    };
    let (folded_seconds, archived_seconds) = tokio::try_join!(fold, archive)?;
    Ok(CatchUpResult {
        folded_seconds,
        archived_seconds,
        aggregator_memory: aggregator.peak_memory_text()?,
        archiver_memory: archiver.peak_memory_text()?,
    })
}
