//! The part lag: catching up.

use std::time::Duration;

use clock::{Clock, SystemClock};

use super::ends::{archived, folded};
use super::part::Bench;
use super::produce::fill;
use super::role::Role;
use super::site::Site;
use super::wait::seconds_since;
use crate::table::millions;

/// How long catching up may take.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// What catching up took.
struct Caught {
    folded_seconds: f64,
    archived_seconds: f64,
    aggregator: String,
    archiver: String,
}

/// Appends while nothing runs, then has it caught up.
pub(super) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    bench.at_site("lag", |bench, site| {
        let (seconds, rate) = (bench.settings.lag_seconds, bench.settings.lag_rate);
        let trades = seconds * rate;
        let (report, ends) = fill(bench, site, trades, seconds)?;
        println!(
            "  {trades} trades appended in {:.1} s; catching up",
            report.seconds
        );
        let caught = bench.runtime.block_on(catch_up(site, &ends))?;
        let table = &mut bench.table;
        let thousands = rate / 1_000;
        table.figure(
            &format!("catching up {seconds} s of {thousands} k trades/s: bars"),
            &format!("{:.1} s", caught.folded_seconds),
        );
        table.figure(
            "  trades folded a second meanwhile",
            &millions(trades, caught.folded_seconds),
        );
        table.figure("  ticks", &format!("{:.1} s", caught.archived_seconds));
        table.figure("  memory of the aggregator at the most", &caught.aggregator);
        table.figure("  memory of the archiver at the most", &caught.archiver);
        Ok(())
    })
}

async fn catch_up(site: &Site, ends: &[u64]) -> anyhow::Result<Caught> {
    let (bars, ticks) = (site.bars().await?, site.ticks().await?);
    let start_ns = SystemClock.monotonic_ns();
    let aggregator = Role::start(site, "aggregator", None)?;
    let archiver = Role::start(site, "archiver", None)?;
    let fold = async {
        folded(&bars, ends, &aggregator, PATIENCE).await?;
        anyhow::Ok(seconds_since(start_ns))
    };
    let archive = async {
        archived(&ticks, ends, &archiver, PATIENCE).await?;
        anyhow::Ok(seconds_since(start_ns))
    };
    let (folded_seconds, archived_seconds) = tokio::try_join!(fold, archive)?;
    Ok(Caught {
        folded_seconds,
        archived_seconds,
        aggregator: aggregator.peak()?,
        archiver: archiver.peak()?,
    })
}
