//! The part restart: from a kill to the next commit.

use std::time::Duration;

use clock::{Clock, SystemClock};
use store::{BarReader, TimescaleBarStore};

use super::ends::moved;
use super::kafka::median;
use super::part::Bench;
use super::produce::Appender;
use super::role::Role;
use super::site::Site;
use super::wait::{seconds_since, until};

/// Trades a second meanwhile.
const RATE: u64 = 1_000;
/// How long it may take until progress moves, and until the group is settled.
const PATIENCE: Duration = Duration::from_secs(120);
/// The budgets, in seconds.
const RESTART: f64 = 3.0;
const TAKEOVER: f64 = 10.0;

/// Seconds until the first partition moved again, and until all had.
struct Pause {
    first: f64,
    all: f64,
}

/// What was seen of one kind of kill.
struct Seen {
    pauses: Vec<Pause>,
    peaks: Vec<(&'static str, String)>,
}

/// Measures a restart of the same instance, and the takeover by another.
pub(super) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    for (part, what, budget) in [
        ("restart", "restart of the same instance", RESTART),
        ("takeover", "takeover by another instance", TAKEOVER),
    ] {
        bench.at_site(part, |bench, site| {
            let rounds = bench.settings.rounds;
            let seen = bench.runtime.block_on(async {
                let appender = Appender::at(site).await?;
                let bars = site.bars().await?;
                tokio::select! {
                    fed = appender.feed(RATE) => {
                        Err(fed.err().unwrap_or_else(|| anyhow::anyhow!("the feed ended")))
                    }
                    seen = kills(site, &bars, rounds, part == "takeover") => seen,
                }
            })?;
            tell(bench, what, budget, &seen);
            Ok(())
        })?;
    }
    Ok(())
}

fn tell(bench: &mut Bench, what: &str, budget: f64, seen: &Seen) {
    let first = median(seen.pauses.iter().map(|pause| pause.first));
    let worst = seen.pauses.iter().map(|pause| pause.first);
    let worst = worst.fold(0.0, f64::max);
    let all = median(seen.pauses.iter().map(|pause| pause.all));
    let table = &mut bench.table;
    table.budget(
        &format!("{what}, kill to first commit, median (worst)"),
        &format!("{first:.2} s ({worst:.2} s)"),
        &format!("< {budget:.0} s"),
        worst < budget,
    );
    table.figure(
        "  to the first commit of the last of its partitions",
        &format!("{all:.2} s"),
    );
    for (name, peak) in &seen.peaks {
        table.figure(&format!("  memory of the {name} at the most"), peak);
    }
}

/// Kills an aggregator again and again, beside an archiver and an API that stay.
async fn kills(
    site: &Site,
    bars: &TimescaleBarStore,
    rounds: u32,
    is_takeover: bool,
) -> anyhow::Result<Seen> {
    let mut first = Role::start(site, "aggregator", Some("one"))?;
    let mut second = match is_takeover {
        true => Some(Role::start(site, "aggregator", Some("two"))?),
        false => None,
    };
    let archiver = Role::start(site, "archiver", None)?;
    let api = Role::start(site, "api", None)?;
    tokio::try_join!(archiver.ready(), api.ready())?;
    let (mut pauses, mut peaks) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        let mine = settled(site, bars, &first, second.as_ref()).await?;
        let peak = first.peak()?;
        let kill_ns = SystemClock.monotonic_ns();
        first.kill()?;
        // Whatever it had sent is taken or not by now.
        let before = bars.all_partition_progress().await?;
        let survivor = second.take();
        let started = match survivor {
            Some(_) => None,
            None => Some(Role::start(site, "aggregator", Some("one"))?),
        };
        let pause = pause(bars, &before, &mine, kill_ns).await?;
        println!(
            "  round {round}: {} partitions, first after {:.2} s, all after {:.2} s",
            mine.len(),
            pause.first,
            pause.all
        );
        pauses.push(pause);
        peaks = vec![("aggregator", peak)];
        first = match started {
            Some(again) => again,
            None => Role::start(site, "aggregator", Some("one"))?,
        };
        second = survivor;
    }
    peaks.push(("archiver", archiver.peak()?));
    peaks.push(("api", api.peak()?));
    Ok(Seen { pauses, peaks })
}

/// Waits until every partition has an owner that moves it, and every aggregator has some.
/// Answers the partitions of the first.
async fn settled(
    site: &Site,
    bars: &TimescaleBarStore,
    first: &Role,
    second: Option<&Role>,
) -> anyhow::Result<Vec<u32>> {
    let all: Vec<u32> = (0..site.partitions()).collect();
    let mine = until("the group is settled", PATIENCE, || async {
        let mut owned = Vec::new();
        for role in [Some(first), second].into_iter().flatten() {
            role.check_alive()?;
            let partitions = match role.url() {
                Some(_) => role.partitions()?,
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
    pause(bars, &before, &all, SystemClock.monotonic_ns()).await?;
    Ok(mine)
}

/// Waits until some partitions have moved.
async fn pause(
    bars: &TimescaleBarStore,
    before: &[store::PartitionProgress],
    partitions: &[u32],
    start_ns: u64,
) -> anyhow::Result<Pause> {
    let first = until("a partition moves", PATIENCE, || async {
        let moved = moved(bars, before, partitions).await?;
        Ok((!moved.is_empty()).then(|| seconds_since(start_ns)))
    })
    .await?;
    let all = until("all partitions move", PATIENCE, || async {
        let moved = moved(bars, before, partitions).await?;
        Ok((moved.len() == partitions.len()).then(|| seconds_since(start_ns)))
    })
    .await?;
    Ok(Pause { first, all })
}
