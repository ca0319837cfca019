//! The comparison, row by row, of what was sent, what the log holds, what is stored and what clients
//! show.

mod bars;
mod clients;
mod dead_letters;
mod outcome;
mod trades;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use client::RestClient;
use store::BarReader;

pub(crate) use self::outcome::{Check, MAX_SHOWN_DIFFERENCES, Outcome};
use crate::cluster::Cluster;
use crate::journal::lock;
use crate::oracle::Oracle;
use crate::rest::request;
use crate::roaming_client::RoamingClient;

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
    for row in cluster.bars.all_partition_progress().await? {
        check.rows += 1;
        if row.epoch != epoch {
            let text = format!("{row:?} is not of epoch {epoch}");
            check.differences.push(text);
        }
    }
    for pod in cluster.pods() {
        let version = request(&pod, RestClient::get_version).await?;
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
