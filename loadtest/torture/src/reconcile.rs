//! The comparison, row by row, of what was sent, what the log holds, what is stored and what
//! clients show.

mod bars;
mod clients;
mod dead_letters;
mod outcome;
mod settings;
mod trades;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use client::RestClient;
use store::BarReader;

pub(crate) use self::outcome::{ComparisonResult, MAX_SHOWN_DIFFERENCES, ReconcileOutcome};
use crate::cluster::TortureCluster;
use crate::faults::UNSTORABLE_PRICE;
use crate::journal::lock;
use crate::oracle::{GenerationRecords, Oracle};
use crate::rest::send_blocking_request;
use crate::roaming_client::RoamingClient;

/// Compares everything. The feed has stopped, and all roles have caught up.
pub(crate) async fn reconcile(
    cluster: &TortureCluster,
    clients: &[Arc<RoamingClient>],
    sent_tape_trades: u64,
) -> anyhow::Result<ReconcileOutcome> {
    let mut outcome = ReconcileOutcome::default();
    let last = cluster.kafka.read_topic(schemas::TRADES).await?;
    cluster.keep_generation_records(GenerationRecords::drained(last));
    let unstorable_price = UNSTORABLE_PRICE.parse()?;
    let oracle =
        Oracle::from_generation_records(&lock(&cluster.generation_records), unstorable_price);
    let counted = oracle.counted_trades_after_amendments();
    outcome.trades = counted.len() as u64;
    outcome.duplicates = oracle.duplicates;
    trades::compare_acknowledged_trades(cluster, &oracle, &counted, sent_tape_trades, &mut outcome);
    trades::compare_stored_trades(cluster, &counted, &mut outcome).await?;
    let comparison = bars::compare_stored_bars(cluster, &counted).await?;
    outcome.comparisons.push(comparison);
    outcome.comparisons.push(compare_epochs(cluster).await?);
    outcome
        .comparisons
        .push(settings::compare_settings(cluster, &oracle).await?);
    outcome
        .comparisons
        .push(dead_letters::compare_dead_letters(cluster, &oracle).await?);
    outcome
        .comparisons
        .extend(clients::compare_shown_bars_and_stream_rules(cluster, clients).await);
    outcome.comparisons.push(compare_hostile_answers(cluster));
    outcome.comparisons.push(run_verify(cluster).await);
    Ok(outcome)
}

/// Returns the answers to requests with illegal texts that did not refuse them.
fn compare_hostile_answers(cluster: &TortureCluster) -> ComparisonResult {
    let state = cluster.sent_trades.lock();
    ComparisonResult {
        name: "answers to requests with illegal texts",
        rows: state.hostile_requests,
        differences: state.wrong_answers.clone(),
    }
}

/// Checks that every progress row and every pod has the current epoch.
async fn compare_epochs(cluster: &TortureCluster) -> anyhow::Result<ComparisonResult> {
    let mut comparison = ComparisonResult::new("epochs and ends");
    let epoch = cluster.epoch.load(Ordering::Acquire);
    for row in cluster.bars.all_partition_progress().await? {
        comparison.rows += 1;
        if row.epoch != epoch {
            let text = format!("{row:?} is not of epoch {epoch}");
            comparison.differences.push(text);
        }
    }
    for pod in cluster.api_clients() {
        let version = send_blocking_request(&pod, RestClient::get_version).await?;
        let pod = pod.base_url();
        comparison.rows += 1;
        if version.epoch != epoch {
            let text = format!("{pod} says {version:?}, the epoch is {epoch}");
            comparison.differences.push(text);
        }
    }
    Ok(comparison)
}

async fn run_verify(cluster: &TortureCluster) -> ComparisonResult {
    let mut comparison = ComparisonResult::new("candlewick verify");
    match cluster.run_verify_command().await {
        Ok(told) => {
            comparison.rows = 1;
            cluster.journal.write_event(&told);
        }
        Err(error) => comparison.differences.push(format!("{error:#}")),
    }
    comparison
}
