//! The comparison, row by row, of what was sent, what the log holds, what is stored and what clients
//! show.

mod bars;
mod clients;
mod dead_letters;
mod trades;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::Context;
use client::RestClient;
use market::VenueSettings;
use store::BarReader;

use crate::cluster::Cluster;
use crate::journal::lock;
use crate::oracle::Oracle;
use crate::rest::request;
use crate::roaming_client::RoamingClient;

/// The greatest number of differences of a check that are printed.
pub(crate) const MAX_SHOWN_DIFFERENCES: usize = 10;

/// One comparison.
#[derive(Debug)]
pub(crate) struct Check {
    pub(crate) name: &'static str,
    /// The number of compared rows.
    pub(crate) rows: u64,
    pub(crate) differences: Vec<String>,
}

impl Check {
    pub(crate) const fn new(name: &'static str) -> Self {
        Self {
            name,
            rows: 0,
            differences: Vec::new(),
        }
    }
}

/// The result of a run.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) checks: Vec<Check>,
    /// When each trade that was acknowledged and is not stored was sent, in milliseconds of the run.
    pub(crate) lost: Vec<u64>,
    /// When each trade that is stored twice was sent, likewise.
    pub(crate) doubled: Vec<u64>,
    pub(crate) duplicates: u64,
    pub(crate) trades: u64,
}

impl Outcome {
    pub(crate) fn has_no_differences(&self) -> bool {
        self.checks.iter().all(|check| check.differences.is_empty())
    }
}

/// Compares everything. The feed has stopped, and all roles have caught up.
pub(crate) async fn reconcile(
    cluster: &Cluster,
    clients: &[Arc<RoamingClient>],
    tapes: u64,
) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    let last = cluster.kafka.read(schemas::TRADES).await?;
    cluster.keep_generation(last);
    let oracle = Oracle::from_generations(&lock(&cluster.generations));
    let counted = oracle.trades();
    outcome.trades = counted.len() as u64;
    outcome.duplicates = oracle.duplicates;
    trades::check_log(cluster, &counted, tapes, &mut outcome);
    trades::check_tick_store(cluster, &counted, &mut outcome).await?;
    let check = bars::check(cluster, &counted).await?;
    outcome.checks.push(check);
    outcome.checks.push(check_epochs(cluster).await?);
    outcome
        .checks
        .push(dead_letters::check(cluster, &oracle).await?);
    outcome
        .checks
        .extend(clients::check(cluster, clients).await);
    outcome.checks.push(run_verify(cluster).await);
    Ok(outcome)
}

/// Checks that every progress row and every pod has the current epoch.
async fn check_epochs(cluster: &Cluster) -> anyhow::Result<Check> {
    let mut check = Check::new("epochs and ends");
    let epoch = cluster.epoch.load(Ordering::Acquire);
    for row in cluster.bars.progress().await? {
        check.rows += 1;
        if row.epoch != epoch {
            let text = format!("{row:?} is not of epoch {epoch}");
            check.differences.push(text);
        }
    }
    for pod in cluster.pods() {
        let version = request(&pod, RestClient::version).await?;
        let pod = pod.base_url();
        check.rows += 1;
        if version.epoch != epoch {
            let text = format!("{pod} says {version:?}, the epoch is {epoch}");
            check.differences.push(text);
        }
    }
    Ok(check)
}

async fn run_verify(cluster: &Cluster) -> Check {
    let mut check = Check::new("candlewick verify");
    match cluster.verify().await {
        Ok(told) => {
            check.rows = 1;
            cluster.journal.write(&told);
        }
        Err(error) => check.differences.push(format!("{error:#}")),
    }
    check
}

/// Reads the stored settings of a venue.
async fn settings(cluster: &Cluster, venue: &str) -> anyhow::Result<VenueSettings> {
    let rows = cluster.bars.venues().await?;
    let row = rows.into_iter().find(|row| row.venue.as_str() == venue);
    Ok(row
        .with_context(|| format!("venue {venue} is not stored"))?
        .settings)
}
