//! What was sent, what the log holds, what is stored and what is shown, compared row by row.

mod bars;
mod clients;
mod letters;
mod trades;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::Context;
use client::RestClient;
use market::VenueSettings;
use store::BarReader;

use crate::journal::lock;
use crate::oracle::Oracle;
use crate::rest::request;
use crate::roaming_client::RoamingClient;
use crate::world::World;

/// How many differences of a check are shown.
pub(crate) const SHOWN: usize = 10;

/// One comparison.
#[derive(Debug)]
pub(crate) struct Check {
    pub(crate) name: &'static str,
    /// How many rows were compared.
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

/// What a run ends with.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) checks: Vec<Check>,
    /// Trades that were acknowledged and are not stored, with when they were sent, in
    /// milliseconds of the run.
    pub(crate) lost: Vec<u64>,
    /// Trades that are stored twice, likewise.
    pub(crate) doubled: Vec<u64>,
    pub(crate) duplicates: u64,
    pub(crate) trades: u64,
}

impl Outcome {
    pub(crate) fn is_right(&self) -> bool {
        self.checks.iter().all(|check| check.differences.is_empty())
    }
}

/// Compares everything. Nothing is sent any more, and all has caught up.
pub(crate) async fn reconcile(
    world: &World,
    clients: &[Arc<RoamingClient>],
    tapes: u64,
) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    let last = world.kafka.read(schemas::TRADES).await?;
    world.keep_generation(last);
    let oracle = Oracle::of(&lock(&world.generations));
    let counted = oracle.trades();
    outcome.trades = counted.len() as u64;
    outcome.duplicates = oracle.duplicates;
    trades::in_the_log(world, &counted, tapes, &mut outcome);
    trades::in_the_store(world, &counted, &mut outcome).await?;
    let check = bars::stored(world, &counted).await?;
    outcome.checks.push(check);
    outcome.checks.push(epochs(world).await?);
    outcome.checks.push(letters::dead(world, &oracle).await?);
    outcome.checks.extend(clients::shown(world, clients).await);
    outcome.checks.push(verified(world).await);
    Ok(outcome)
}

/// Progress and positions are of the epoch of now, at or behind nothing.
async fn epochs(world: &World) -> anyhow::Result<Check> {
    let mut check = Check::new("epochs and ends");
    let epoch = world.epoch.load(Ordering::Acquire);
    for row in world.bars.progress().await? {
        check.rows += 1;
        if row.epoch != epoch {
            let text = format!("{row:?} is not of epoch {epoch}");
            check.differences.push(text);
        }
    }
    for pod in world.pods() {
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

async fn verified(world: &World) -> Check {
    let mut check = Check::new("candlewick verify");
    match world.verify().await {
        Ok(told) => {
            check.rows = 1;
            world.journal.note(&told);
        }
        Err(error) => check.differences.push(format!("{error:#}")),
    }
    check
}

/// The settings of a venue as they are stored.
async fn settings(world: &World, venue: &str) -> anyhow::Result<VenueSettings> {
    let rows = world.bars.venues().await?;
    let row = rows.into_iter().find(|row| row.venue.as_str() == venue);
    Ok(row
        .with_context(|| format!("venue {venue} is not stored"))?
        .settings)
}
