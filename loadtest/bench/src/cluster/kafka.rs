//! The part kafka: Kafka to durable bars, beside a plain loop over the same topic.

use std::time::Duration;

use clock::{Clock, SystemClock};

use super::ends::folded;
use super::part::Bench;
use super::produce::{SPAN_SECONDS, fill};
use super::role::Role;
use super::site::Site;
use super::wait::seconds_since;
use super::worker::{Work, have_done};
use crate::table::millions;

/// The least ratio of the two.
const BUDGET: f64 = 0.7;
/// How long folding it all may take.
const PATIENCE: Duration = Duration::from_secs(1_800);

/// What a round of the aggregator took.
struct Round {
    cpu_seconds: f64,
    seconds: f64,
    peak: String,
}

/// Measures both in turn.
pub(super) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    bench.at_site("kafka", |bench, site| {
        let trades = bench.settings.trades;
        let (_, ends) = fill(bench, site, trades, SPAN_SECONDS)?;
        let (mut plain, mut folds) = (Vec::new(), Vec::new());
        for number in 1..=bench.settings.rounds {
            plain.push(have_done(Work::Plain, site, trades, SPAN_SECONDS)?);
            bench.runtime.block_on(site.renew_databases())?;
            folds.push(bench.runtime.block_on(fold(site, &ends))?);
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
        let peak = folds.pop().map_or_else(String::new, |round| round.peak);
        let table = &mut bench.table;
        table.figure(
            "plain rdkafka loop, trades by CPU-second",
            &millions(trades, loop_cpu),
        );
        table.figure(
            "Kafka to durable bars, trades by CPU-second",
            &millions(trades, fold_cpu),
        );
        let ratio = loop_cpu / fold_cpu;
        table.budget(
            &format!("  of the plain loop's, {trades} trades"),
            &format!("{ratio:.2}"),
            ">= 0.7",
            ratio >= BUDGET,
        );
        table.figure("  by the clock", &millions(trades, by_clock));
        table.figure("  memory of the aggregator at the most", &peak);
        Ok(())
    })
}

/// Folds it all into an empty database.
async fn fold(site: &Site, ends: &[u64]) -> anyhow::Result<Round> {
    let bars = site.bars().await?;
    let start_ns = SystemClock.monotonic_ns();
    let role = Role::start(site, "aggregator", None)?;
    folded(&bars, ends, &role, PATIENCE).await?;
    Ok(Round {
        cpu_seconds: role.cpu_seconds()?,
        seconds: seconds_since(start_ns),
        peak: role.peak()?,
    })
}

/// The value in the middle; of an even number the greater of the two.
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
