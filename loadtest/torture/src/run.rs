//! A run, from the first server to the last comparison.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, bail};
use clock::{Clock, SystemClock};

use crate::cluster::TortureCluster;
use crate::faults::{FaultInjector, FaultPlan};
use crate::journal::{Journal, lock};
use crate::options::Options;
use crate::random::Random;
use crate::reconcile::reconcile;
use crate::report::RunReport;
use crate::roaming_client::RoamingClient;
use crate::stack::ServerStack;
use crate::trade_source::{TradeSource, VENUES};

/// The number of clients of the stream.
const CLIENTS: usize = 6;
/// The number of channels of each client.
const CHANNELS: u64 = 5;
/// How long the end of a run may take until every request is acknowledged.
const ACKNOWLEDGE_TIMEOUT: Duration = Duration::from_secs(120);
const DRAIN_TIMEOUT: Duration = Duration::from_secs(180);
const STATUS_INTERVAL: Duration = Duration::from_secs(5);
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Runs the torture. Its exit status is 0 if nothing differs.
pub(crate) async fn run(options: &Options) -> anyhow::Result<ExitCode> {
    if options.brokers == 2 {
        bail!("--brokers is 1 or 3");
    }
    let folder = options.logs.clone().unwrap_or_else(|| {
        let name = format!("candlewick-torture-{}-{}", options.seed, std::process::id());
        std::env::temp_dir().join(name)
    });
    let journal = Arc::new(Journal::create(&folder)?);
    journal.write_and_print(&format!(
        "seed {}, logs in {}",
        options.seed,
        folder.display()
    ));
    let ended = tokio::select! {
        ended = torture_and_compare(options, &journal) => ended,
        told = tokio::signal::ctrl_c() => {
            told?;
            Err(anyhow::anyhow!("told to stop"))
        }
    };
    match ended {
        Ok(true) => {
            if options.logs.is_none() {
                std::fs::remove_dir_all(&folder)?;
            }
            println!("nothing was lost, doubled or wrong");
            Ok(ExitCode::SUCCESS)
        }
        Ok(false) => {
            println!(
                "seed {} differs; logs are in {}",
                options.seed,
                folder.display()
            );
            Ok(ExitCode::FAILURE)
        }
        Err(error) => {
            journal.write_event(&format!("failed: {error:#}"));
            if !options.keep {
                ServerStack::without_addresses(&options.stack)?
                    .remove()
                    .await?;
            }
            Err(error.context(format!("logs are in {}", folder.display())))
        }
    }
}

/// Runs the torture test. Then compares what the cluster stored and its clients hold with the
/// expected bars and trades; returns whether nothing differs.
async fn torture_and_compare(options: &Options, journal: &Arc<Journal>) -> anyhow::Result<bool> {
    let mut random = Random::new(options.seed);
    let cluster = Arc::new(TortureCluster::start(options, Arc::clone(journal)).await?);
    cluster.feed.declare_venues().await;
    let clients = start_clients(&cluster, &mut random);
    let _ = cluster.stream_clients.set(clients.clone());
    let trade_source = TradeSource::new(random.fork(), options.planned_fault_seconds());
    let feed = Arc::clone(&cluster.feed).run(trade_source, random.fork(), options.rate);
    let feed = tokio::spawn(feed);
    let tapes = tokio::spawn(replay_tapes(Arc::clone(&cluster), find_tapes(options)?));
    let faults = Arc::new(FaultInjector::default());
    let status_task = tokio::spawn(print_status_periodically(
        Arc::clone(&cluster),
        Arc::clone(&faults),
    ));
    let plan = FaultPlan {
        kinds: options.faults.clone(),
        count: options.count,
        fault_seconds: options.planned_fault_seconds(),
        brokers: options.brokers,
    };
    faults.inject_faults(&cluster, plan, random.fork()).await?;
    journal.write_and_print("all is healed");
    cluster.feed.stop();
    feed.await?;
    let tapes = tapes.await??;
    wait_until_acknowledged(&cluster).await?;
    clients.iter().for_each(|client| client.stay_at_pod());
    journal.write_and_print("all is acknowledged");
    cluster.wait_until_ready().await?;
    cluster
        .wait_until_processed_and_refolded(DRAIN_TIMEOUT)
        .await?;
    status_task.abort();
    journal.write_and_print("all has caught up; comparing");
    let outcome = reconcile(&cluster, &clients, tapes).await?;
    let (totals, sent, acked) = {
        let state = cluster.sent_trades.lock();
        (state.totals, state.trades.len(), state.acknowledged_count())
    };
    let report = RunReport {
        options,
        seconds: journal.elapsed_ms() / 1_000,
        periods: lock(&faults.periods).clone(),
        totals,
        sent,
        acked,
        outcome: &outcome,
        role_ends: cluster
            .roles
            .iter()
            .map(|role| role.ends.load(Ordering::Relaxed))
            .sum(),
    };
    let text = report.to_text();
    journal.write_event(&text);
    println!("{text}");
    if let Some(path) = &options.report {
        report.append_csv_row(path)?;
    }
    cluster.stop(options.keep).await?;
    Ok(outcome.has_no_differences())
}

fn start_clients(cluster: &Arc<TortureCluster>, random: &mut Random) -> Vec<Arc<RoamingClient>> {
    let make = |number| {
        let channels: Vec<_> = (0..CHANNELS)
            .map(|_| {
                let venue = random.choose(&VENUES).venue;
                let interval = *random.choose(&["1m", "1m", "5m", "1h", "1d"]);
                format!("bars:{venue}:S{}:{interval}", random.below(4))
            })
            .collect();
        let journal = Arc::clone(&cluster.journal);
        let client =
            RoamingClient::new(number, cluster.api_clients(), journal, channels.into_iter());
        tokio::spawn(Arc::clone(&client).run(random.fork()));
        client
    };
    (1..=CLIENTS).map(make).collect()
}

/// Returns the tapes to replay, in the order of their names.
fn find_tapes(options: &Options) -> anyhow::Result<Vec<PathBuf>> {
    let Some(folder) = &options.tapes else {
        return Ok(Vec::new());
    };
    let listed = std::fs::read_dir(folder);
    let listed = listed.with_context(|| format!("cannot read {}", folder.display()))?;
    let mut tapes = Vec::new();
    for file in listed {
        let path = file?.path();
        if path.extension().is_some_and(|extension| extension == "zip") {
            tapes.push(path);
        }
    }
    tapes.sort();
    if tapes.is_empty() {
        bail!("{} contains no tape", folder.display());
    }
    Ok(tapes)
}

/// Replays tapes, each until it was accepted completely; returns the number of their trades.
async fn replay_tapes(cluster: Arc<TortureCluster>, tapes: Vec<PathBuf>) -> anyhow::Result<u64> {
    const TRIES: u32 = 20;
    let mut trades = 0;
    for tape in tapes {
        let mut tries = 0;
        let told = loop {
            tries += 1;
            match cluster.replay_tape(&tape).await {
                Ok(told) => break told,
                Err(error) if tries < TRIES => {
                    cluster.journal.write_event(&format!("replay: {error:#}"));
                }
                Err(error) => return Err(error),
            }
            SystemClock.sleep(Duration::from_secs(1)).await;
        };
        cluster.journal.write_event(&told);
        let name = tape.file_name().unwrap_or_default().to_string_lossy();
        trades += trade_count_of_tape(&told, &name)
            .with_context(|| format!("replay does not say how many trades {name} holds: {told}"))?;
    }
    Ok(trades)
}

/// Returns the number of trades in the row of a tape.
fn trade_count_of_tape(replay_output: &str, name: &str) -> Option<u64> {
    let mut rows = replay_output.lines().map(str::split_whitespace);
    let mut row = rows.find(|row| row.clone().next() == Some(name))?;
    row.nth(1)?.replace(',', "").parse().ok()
}

async fn wait_until_acknowledged(cluster: &TortureCluster) -> anyhow::Result<()> {
    let begin_ns = SystemClock.monotonic_ns();
    while cluster.feed.pending_requests() > 0 {
        let waited = Duration::from_nanos(SystemClock.monotonic_ns() - begin_ns);
        if waited > ACKNOWLEDGE_TIMEOUT {
            bail!(
                "{} requests are not acknowledged after {waited:?}",
                cluster.feed.pending_requests()
            );
        }
        SystemClock.sleep(POLL_INTERVAL).await;
    }
    Ok(())
}

/// Prints the status of the run every few seconds, without end.
async fn print_status_periodically(cluster: Arc<TortureCluster>, faults: Arc<FaultInjector>) {
    loop {
        let line = {
            let state = cluster.sent_trades.lock();
            let totals = state.totals;
            format!(
                "{} faults, {} trades sent, {} acknowledged, {} edits, {} cancels, {} requests \
                 tried again; now: {}",
                lock(&faults.periods).len(),
                state.trades.len(),
                state.acknowledged_count(),
                totals.edits,
                totals.cancels,
                totals.retries,
                faults.describe_active(),
            )
        };
        cluster.journal.write_and_print(&line);
        SystemClock.sleep(STATUS_INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::trade_count_of_tape;

    #[test]
    fn the_trades_of_a_tape_are_read_from_the_report_of_replay() {
        let told = "tape   trades  accepted  rejected  bad lines\n\
                    A.zip  43,342    43,342         0          0\n\
                    43,342 trades in 0.82 s: 53,180 trades/s\n";
        assert_eq!(trade_count_of_tape(told, "A.zip"), Some(43_342));
        assert_eq!(trade_count_of_tape(told, "B.zip"), None);
    }
}
