//! A topic that is made anew.

use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context;
use clock::{Clock, SystemClock};
use futures_util::future::join_all;
use schemas::TradesRecord;

use super::Fault;
use crate::exchange::Exchange;
use crate::roles::RoleKind;
use crate::world::World;

/// How long it may take until all is drained before, and taken up after.
const DRAINED_WITHIN: Duration = Duration::from_secs(120);
/// How many records more the new topic has than the old one.
const LONGER: u64 = 20;

impl Fault {
    /// Stops the producers, waits until both roles have drained the topic, and makes it anew.
    pub(super) async fn recreate(&mut self, world: &World) -> anyhow::Result<()> {
        let paused = clock::timeout(&SystemClock, DRAINED_WITHIN, world.feed.pause());
        let paused = paused.await.context("what was sent is not acknowledged")?;
        world.wait_drained(DRAINED_WITHIN).await?;
        // What a pod had given up waiting for may still have been on its way.
        SystemClock.sleep(Duration::from_secs(2)).await;
        world.wait_drained(DRAINED_WITHIN).await?;
        if self.target == schemas::TRADES {
            let old = world.kafka.read(schemas::TRADES).await?;
            let ends: Vec<u64> = old
                .iter()
                .map(|records| records.last().map_or(0, |record| record.offset + 1))
                .collect();
            world.keep_generation(old);
            if self.is_frozen {
                self.make_longer(world, &ends).await?;
            } else {
                make_anew(world, schemas::TRADES).await?;
            }
        } else {
            make_anew(world, schemas::BAR_UPDATES).await?;
        }
        drop(paused);
        // Trades and their edits come again meanwhile, so there are always marked minutes.
        world.wait_taken_up(DRAINED_WITHIN).await
    }

    /// Freezes both roles, and makes the new topic longer than the old before they go on, or
    /// others in their place.
    async fn make_longer(&mut self, world: &World, ends: &[u64]) -> anyhow::Result<()> {
        let kinds = [RoleKind::Aggregator, RoleKind::Archiver];
        let roles: Vec<_> = kinds
            .iter()
            .flat_map(|kind| world.roles_of(*kind))
            .collect();
        for role in &roles {
            role.freeze()?;
        }
        make_anew(world, schemas::TRADES).await?;
        let mut exchange = Exchange::new(self.random.fork(), 0);
        let deals: Vec<_> = (0..50).map(|_| exchange.deal()).collect();
        let deals: Vec<_> = deals
            .into_iter()
            .filter_map(|mut deal| {
                // The feed numbers the trades of these symbols itself.
                deal.symbol = format!("{}-anew-{:x}", deal.symbol, self.random.next()).into();
                deal.trade.id.is_some().then_some(deal)
            })
            .collect();
        world.feed.send_foreign(&deals).await;
        let mut advance = Vec::new();
        TradesRecord::Advance.encode(&mut advance);
        for (partition, end) in (0..).zip(ends) {
            let sends = (0..end + LONGER).map(|_| {
                world
                    .kafka
                    .send(schemas::TRADES, Some(partition), b"", &advance)
            });
            join_all(sends).await;
        }
        let is_thawed = self.random.one_in(2);
        world.journal.note(match is_thawed {
            true => "the new topic is longer; the roles go on",
            false => "the new topic is longer; the roles are killed",
        });
        for role in &roles {
            match is_thawed {
                true => role.thaw()?,
                false => role.kill()?,
            }
        }
        Ok(())
    }
}

async fn make_anew(world: &World, topic: &str) -> anyhow::Result<()> {
    world.kafka.delete(topic).await?;
    world.apply_topics().await?;
    if topic == schemas::TRADES {
        world.epoch.fetch_add(1, Ordering::AcqRel);
    }
    world.journal.note(&format!("{topic} was made anew"));
    Ok(())
}
