//! The part kafka: Kafka to durable bars, next to a plain loop over the same topic.

use std::time::Duration;

use clock::{Clock, SystemClock};

use super::child_process::run_child;
use super::child_task::ChildTask;
use super::cluster_bench::ClusterBench;
use super::produce::{SPAN_SECONDS, fill_topic};
use super::progress::wait_until_folded;
use super::role::{RoleProcess, bind_trades_topic};
use super::sandbox::Sandbox;
use super::wait::seconds_since;
use crate::table::format_rate_in_millions;

/// The least ratio of the two figures.
const RATIO_BUDGET: f64 = 0.7;
/// How long folding the topic may take.
const TIMEOUT: Duration = Duration::from_secs(1_800);

/// The time and memory that the aggregator used in a round.
struct FoldMeasurement {
    cpu_seconds: f64,
    seconds: f64,
    peak_memory: String,
}

/// Measures the plain loop and the aggregator in turn.
pub(super) fn measure_folding(bench: &mut ClusterBench) -> anyhow::Result<()> {
    bench.measure_in_sandbox("kafka", |bench, sandbox| {
        let trades = bench.settings.trades;
        let filled = fill_topic(bench, sandbox, trades, SPAN_SECONDS)?;
        let (mut plain, mut folds) = (Vec::new(), Vec::new());
        for number in 1..=bench.settings.rounds {
            plain.push(run_child(ChildTask::Plain, sandbox, trades, SPAN_SECONDS)?);
            bench.runtime.block_on(sandbox.recreate_databases())?;
            bind_trades_topic(sandbox)?;
            folds.push(
                bench
                    .runtime
                    .block_on(fold_topic_with_aggregator(sandbox, &filled.partition_ends))?,
            );
            if let (Some(plain), Some(fold)) = (plain.last(), folds.last()) {
                println!(
                    "  round {number}: plain {:.2} s of CPU in {:.2} s, aggregator {:.2} s of CPU \
                     in {:.2} s",
                    plain.cpu_seconds, plain.seconds, fold.cpu_seconds, fold.seconds
                );
            }
        }
        let loop_cpu = median(plain.iter().map(|round| round.cpu_seconds));
        let fold_cpu = median(folds.iter().map(|round| round.cpu_seconds));
        let by_clock = median(folds.iter().map(|round| round.seconds));
        let peak_memory = folds
            .pop()
            .map_or_else(String::new, |round| round.peak_memory);
        let table = &mut bench.table;
        table.add_and_print_figure(
            "plain rdkafka loop, trades by CPU-second",
            &format_rate_in_millions(trades, loop_cpu),
        );
        table.add_and_print_figure(
            "Kafka to durable bars, trades by CPU-second",
            &format_rate_in_millions(trades, fold_cpu),
        );
        let ratio = loop_cpu / fold_cpu;
        table.add_and_print_budgeted_figure(
            &format!("  of the plain loop's, {trades} trades"),
            &format!("{ratio:.2}"),
            ">= 0.7",
            ratio >= RATIO_BUDGET,
        );
        table.add_and_print_figure("  by the clock", &format_rate_in_millions(trades, by_clock));
        table.add_and_print_figure("  memory of the aggregator at the most", &peak_memory);
        Ok(())
    })
}

/// Folds the whole topic into an empty database with an aggregator.
async fn fold_topic_with_aggregator(
    sandbox: &Sandbox,
    ends: &[u64],
) -> anyhow::Result<FoldMeasurement> {
    let bars = sandbox.open_bar_store().await?;
    let start_ns = SystemClock.monotonic_ns();
    let role = RoleProcess::start(sandbox, "aggregator", None)?;
    wait_until_folded(&bars, ends, &role, TIMEOUT).await?;
    Ok(FoldMeasurement {
        cpu_seconds: role.cpu_seconds()?,
        seconds: seconds_since(start_ns),
        peak_memory: role.peak_memory_text()?,
    })
}

/// Returns the value in the middle, or the greater of the two in the middle; NaN without values.
pub(super) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((median([3.0, 1.0, 2.0].into_iter()) - 2.0).abs() < 1e-9);
        assert!(median(std::iter::empty()).is_nan());
    }
}
