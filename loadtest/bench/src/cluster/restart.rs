//! The part restart: from a kill to the next commit.

use std::time::Duration;

use clock::{Clock, SystemClock};
use store::{BarReader, TimescaleBarStore};

use super::cluster_bench::ClusterBench;
use super::kafka::median;
use super::produce::GeneratedTradeAppender;
use super::progress::partitions_with_progress;
use super::role::RoleProcess;
use super::sandbox::Sandbox;
use super::wait::{seconds_since, wait_until};

/// The trades per second during the measurement.
const RATE: u64 = 1_000;
/// How long it may take until progress moves, and until the group is settled.
const TIMEOUT: Duration = Duration::from_secs(120);
const RESTART_BUDGET_SECONDS: f64 = 3.0;
const TAKEOVER_BUDGET_SECONDS: f64 = 10.0;

/// How long a group was at a standstill after a kill.
struct RecoveryTimes {
    /// Until the first partition moved again.
    first_seconds: f64,
    /// Until all partitions had moved.
    all_seconds: f64,
}

/// The results of one kind of kill.
struct KillResults {
    recoveries: Vec<RecoveryTimes>,
    peak_memories: Vec<(&'static str, String)>,
}

/// Measures a restart of the same instance, and the takeover by another.
pub(super) fn measure_restart_and_takeover(bench: &mut ClusterBench) -> anyhow::Result<()> {
    for (part, what, budget) in [
        (
            "restart",
            "restart of the same instance",
            RESTART_BUDGET_SECONDS,
        ),
        (
            "takeover",
            "takeover by another instance",
            TAKEOVER_BUDGET_SECONDS,
        ),
    ] {
        bench.measure_in_sandbox(part, |bench, sandbox| {
            let rounds = bench.settings.rounds;
            let results = bench.runtime.block_on(async {
                let appender = GeneratedTradeAppender::for_sandbox(sandbox).await?;
                let bars = sandbox.open_bar_store().await?;
                tokio::select! {
                    fed = appender.append_continuously(RATE) => {
                        Err(fed.err().unwrap_or_else(|| anyhow::anyhow!("the feed ended")))
                    }
                    results = run_kills(sandbox, &bars, rounds, part == "takeover") => results,
                }
            })?;
            add_kill_figures(bench, what, budget, &results);
            Ok(())
        })?;
    }
    Ok(())
}

fn add_kill_figures(bench: &mut ClusterBench, what: &str, budget: f64, results: &KillResults) {
    let first = median(
        results
            .recoveries
            .iter()
            .map(|recovery| recovery.first_seconds),
    );
    let worst = results
        .recoveries
        .iter()
        .map(|recovery| recovery.first_seconds);
    let worst = worst.fold(0.0, f64::max);
    let all = median(
        results
            .recoveries
            .iter()
            .map(|recovery| recovery.all_seconds),
    );
    let table = &mut bench.table;
    table.add_and_print_budgeted_figure(
        &format!("{what}, kill to first commit, median (worst)"),
        &format!("{first:.2} s ({worst:.2} s)"),
        &format!("< {budget:.0} s"),
        worst < budget,
    );
    table.add_and_print_figure(
        "  to the first commit of the last of its partitions",
        &format!("{all:.2} s"),
    );
    for (name, peak) in &results.peak_memories {
        table.add_and_print_figure(&format!("  memory of the {name} at the most"), peak);
    }
}

/// Kills an aggregator once a round, while an archiver and an API keep running.
async fn run_kills(
    sandbox: &Sandbox,
    bars: &TimescaleBarStore,
    rounds: u32,
    is_takeover: bool,
) -> anyhow::Result<KillResults> {
    let mut first = RoleProcess::start(sandbox, "aggregator", Some("one"))?;
    let mut second = match is_takeover {
        true => Some(RoleProcess::start(sandbox, "aggregator", Some("two"))?),
        false => None,
    };
    let archiver = RoleProcess::start(sandbox, "archiver", None)?;
    let api = RoleProcess::start(sandbox, "api", None)?;
    tokio::try_join!(archiver.wait_until_ready(), api.wait_until_ready())?;
    let (mut recoveries, mut peak_memories) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        let owned =
            wait_for_owners_and_list_partitions_of_first(sandbox, bars, &first, second.as_ref())
                .await?;
        let peak = first.peak_memory_text()?;
        let kill_ns = SystemClock.monotonic_ns();
        first.kill()?;
        // A transaction that the process had sent is committed by now, or never will be.
        let before = bars.all_partition_progress().await?;
        let survivor = second.take();
        let started = match survivor {
            Some(_) => None,
            None => Some(RoleProcess::start(sandbox, "aggregator", Some("one"))?),
        };
        let recovery = measure_time_until_all_progress(bars, &before, &owned, kill_ns).await?;
        println!(
            "  round {round}: {} partitions, first after {:.2} s, all after {:.2} s",
            owned.len(),
            recovery.first_seconds,
            recovery.all_seconds
        );
        recoveries.push(recovery);
        peak_memories = vec![("aggregator", peak)];
        first = match started {
            Some(restarted) => restarted,
            None => RoleProcess::start(sandbox, "aggregator", Some("one"))?,
        };
        second = survivor;
    }
    peak_memories.push(("archiver", archiver.peak_memory_text()?));
    peak_memories.push(("api", api.peak_memory_text()?));
    Ok(KillResults {
        recoveries,
        peak_memories,
    })
}

/// Waits until every partition has an owner that processes it, and every aggregator owns some;
/// returns the partitions of the first.
async fn wait_for_owners_and_list_partitions_of_first(
    sandbox: &Sandbox,
    bars: &TimescaleBarStore,
    first: &RoleProcess,
    second: Option<&RoleProcess>,
) -> anyhow::Result<Vec<u32>> {
    let all: Vec<u32> = (0..sandbox.partitions()).collect();
    let of_first = wait_until("the group is settled", TIMEOUT, || async {
        let mut owned = Vec::new();
        for role in [Some(first), second].into_iter().flatten() {
            role.check_alive()?;
            let partitions = match role.url() {
                Some(_) => role.assigned_partitions()?,
                None => Vec::new(),
            };
            if partitions.is_empty() {
                return Ok(None);
            }
            owned.push(partitions);
        }
        let count: usize = owned.iter().map(Vec::len).sum();
        Ok((count == all.len()).then(|| owned.swap_remove(0)))
    })
    .await?;
    let before = bars.all_partition_progress().await?;
    measure_time_until_all_progress(bars, &before, &all, SystemClock.monotonic_ns()).await?;
    Ok(of_first)
}

/// Waits until the progress of all `partitions` is greater than in `before`.
async fn measure_time_until_all_progress(
    bars: &TimescaleBarStore,
    before: &[store::PartitionProgress],
    partitions: &[u32],
    start_ns: u64,
) -> anyhow::Result<RecoveryTimes> {
    let first_seconds = wait_until("a partition moves", TIMEOUT, || async {
        let moved = partitions_with_progress(bars, before, partitions).await?;
        Ok((!moved.is_empty()).then(|| seconds_since(start_ns)))
    })
    .await?;
    let all_seconds = wait_until("all partitions move", TIMEOUT, || async {
        let moved = partitions_with_progress(bars, before, partitions).await?;
        Ok((moved.len() == partitions.len()).then(|| seconds_since(start_ns)))
    })
    .await?;
    Ok(RecoveryTimes {
        first_seconds,
        all_seconds,
    })
}
