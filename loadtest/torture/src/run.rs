//! A run, from the first server to the last comparison.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, bail};
use clock::{Clock, SystemClock};

use crate::exchange::{Exchange, MARKETS};
use crate::faults::{Faults, Plan};
use crate::journal::{Journal, lock};
use crate::options::Options;
use crate::random::Random;
use crate::reconcile::reconcile;
use crate::report::Report;
use crate::roaming_client::RoamingClient;
use crate::stack::Stack;
use crate::world::World;

/// How many clients follow the stream, each how many channels.
const CLIENTS: usize = 6;
const CHANNELS: u64 = 5;
/// How long it may take in the end until all is acknowledged, and all has caught up.
const ACKED_WITHIN: Duration = Duration::from_secs(120);
const DRAINED_WITHIN: Duration = Duration::from_secs(180);
const TELL_EVERY: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(100);

/// Runs all of it; success where nothing differs.
pub(crate) async fn run(options: &Options) -> anyhow::Result<ExitCode> {
    if options.brokers == 2 {
        bail!("--brokers is 1 or 3");
    }
    let folder = options.logs.clone().unwrap_or_else(|| {
        let name = format!("candlewick-torture-{}-{}", options.seed, std::process::id());
        std::env::temp_dir().join(name)
    });
    let journal = Arc::new(Journal::begin(&folder)?);
    journal.say(&format!(
        "seed {}, logs in {}",
        options.seed,
        folder.display()
    ));
    let ended = tokio::select! {
        ended = torture(options, &journal) => ended,
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
            journal.note(&format!("failed: {error:#}"));
            if !options.keep {
                Stack::named(&options.stack)?.remove().await?;
            }
            Err(error.context(format!("logs are in {}", folder.display())))
        }
    }
}

async fn torture(options: &Options, journal: &Arc<Journal>) -> anyhow::Result<bool> {
    let mut random = Random::new(options.seed);
    let world = Arc::new(World::start(options, Arc::clone(journal)).await?);
    world.feed.declare().await;
    let clients = clients(&world, &mut random);
    let exchange = Exchange::new(random.fork(), options.planned_seconds());
    let feed = Arc::clone(&world.feed).run(exchange, random.fork(), options.rate);
    let feed = tokio::spawn(feed);
    let tapes = tokio::spawn(replay(Arc::clone(&world), tapes(options)?));
    let faults = Arc::new(Faults::default());
    let telling = tokio::spawn(tell(Arc::clone(&world), Arc::clone(&faults)));
    let plan = Plan {
        kinds: options.faults.clone(),
        count: options.count,
        seconds: options.planned_seconds(),
        brokers: options.brokers,
    };
    faults.run(&world, plan, random.fork()).await?;
    journal.say("all is healed");
    world.feed.stop();
    feed.await?;
    let tapes = tapes.await??;
    wait_acked(&world).await?;
    clients.iter().for_each(|client| client.stay_at_pod());
    journal.say("all is acknowledged");
    world.wait_ready().await?;
    world.wait_drained(DRAINED_WITHIN).await?;
    telling.abort();
    journal.say("all has caught up; comparing");
    let outcome = reconcile(&world, &clients, tapes).await?;
    let (totals, sent, acked) = {
        let book = world.ledger.open();
        (book.totals, book.entries.len(), book.acked())
    };
    let report = Report {
        options,
        seconds: journal.elapsed_ms() / 1_000,
        episodes: lock(&faults.episodes).clone(),
        totals,
        sent,
        acked,
        outcome: &outcome,
        role_ends: world
            .roles
            .iter()
            .map(|role| role.ends.load(Ordering::Relaxed))
            .sum(),
    };
    let text = report.text();
    journal.note(&text);
    println!("{text}");
    if let Some(path) = &options.report {
        report.note(path)?;
    }
    world.end(options.keep).await?;
    Ok(outcome.is_right())
}

fn clients(world: &Arc<World>, random: &mut Random) -> Vec<Arc<RoamingClient>> {
    let make = |number| {
        let channels: Vec<_> = (0..CHANNELS)
            .map(|_| {
                let venue = random.choose(&MARKETS).venue;
                let interval = *random.choose(&["1m", "1m", "5m", "1h", "1d"]);
                format!("bars:{venue}:S{}:{interval}", random.below(4))
            })
            .collect();
        let journal = Arc::clone(&world.journal);
        let client = RoamingClient::new(number, world.pods(), journal, channels.into_iter());
        tokio::spawn(Arc::clone(&client).run(random.fork()));
        client
    };
    (1..=CLIENTS).map(make).collect()
}

/// The tapes to be replayed, in order of their names.
fn tapes(options: &Options) -> anyhow::Result<Vec<PathBuf>> {
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
        bail!("there is no tape in {}", folder.display());
    }
    Ok(tapes)
}

/// Replays tapes, each until it was taken whole; how many trades they hold.
async fn replay(world: Arc<World>, tapes: Vec<PathBuf>) -> anyhow::Result<u64> {
    const TRIES: u32 = 20;
    let mut trades = 0;
    for tape in tapes {
        let mut tries = 0;
        let told = loop {
            tries += 1;
            match world.replay(&tape).await {
                Ok(told) => break told,
                Err(error) if tries < TRIES => world.journal.note(&format!("replay: {error:#}")),
                Err(error) => return Err(error),
            }
            SystemClock.sleep(Duration::from_secs(1)).await;
        };
        world.journal.note(&told);
        let name = tape.file_name().unwrap_or_default().to_string_lossy();
        trades += trades_of(&told, &name)
            .with_context(|| format!("replay does not say how many trades {name} holds: {told}"))?;
    }
    Ok(trades)
}

/// The column of trades, in the row of a tape.
fn trades_of(told: &str, name: &str) -> Option<u64> {
    let mut rows = told.lines().map(str::split_whitespace);
    let mut row = rows.find(|row| row.clone().next() == Some(name))?;
    row.nth(1)?.replace(',', "").parse().ok()
}

async fn wait_acked(world: &World) -> anyhow::Result<()> {
    let begin_ns = SystemClock.monotonic_ns();
    while world.feed.pending() > 0 {
        let waited = Duration::from_nanos(SystemClock.monotonic_ns() - begin_ns);
        if waited > ACKED_WITHIN {
            bail!(
                "{} requests are not acknowledged after {waited:?}",
                world.feed.pending()
            );
        }
        SystemClock.sleep(POLL).await;
    }
    Ok(())
}

/// Says every few seconds how it goes.
async fn tell(world: Arc<World>, faults: Arc<Faults>) {
    loop {
        let line = {
            let book = world.ledger.open();
            let totals = book.totals;
            format!(
                "{} faults, {} trades sent, {} acknowledged, {} edits, {} cancels, {} requests \
                 tried again; now: {}",
                lock(&faults.episodes).len(),
                book.entries.len(),
                book.acked(),
                totals.edits,
                totals.cancels,
                totals.retries,
                faults.active(),
            )
        };
        world.journal.say(&line);
        SystemClock.sleep(TELL_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::trades_of;

    #[test]
    fn the_trades_of_a_tape_are_read_from_the_report_of_replay() {
        let told = "tape   trades  accepted  rejected  bad lines\n\
                    A.zip  43,342    43,342         0          0\n\
                    43,342 trades in 0.82 s: 53,180 trades/s\n";
        assert_eq!(trades_of(told, "A.zip"), Some(43_342));
        assert_eq!(trades_of(told, "B.zip"), None);
    }
}
