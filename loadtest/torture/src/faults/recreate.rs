//! A topic that is recreated.

use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context;
use clock::{Clock, SystemClock};
use futures_util::future::join_all;
use schemas::TradesTopicRecord;
use tokio::sync::OwnedRwLockWriteGuard;

use super::fault::Fault;
use super::topic_settings::wait_until_readiness_names;
use crate::cluster::TortureCluster;
use crate::oracle::GenerationRecords;
use crate::role_process::RoleKind;
use crate::trade_source::TradeSource;

/// How long draining the old topic, and processing the new one, may take.
pub(super) const DRAIN_TIMEOUT: Duration = Duration::from_secs(120);
/// How long a record may be on its way whose acknowledgement no producer awaits any more.
pub(super) const LATE_APPEND: Duration = Duration::from_secs(2);
/// How many more records the new topic has than the old one.
const EXTRA_RECORDS: u64 = 20;

impl Fault {
    /// Stops the producers, waits until both roles have drained the topic, and recreates it.
    pub(super) async fn drain_and_recreate(
        &mut self,
        cluster: &TortureCluster,
    ) -> anyhow::Result<()> {
        let paused = pause_and_drain(cluster).await?;
        if self.target == schemas::TRADES {
            let old = cluster.kafka.read_topic(schemas::TRADES).await?;
            let ends: Vec<u64> = old
                .iter()
                .map(|records| records.last().map_or(0, |record| record.offset + 1))
                .collect();
            cluster.keep_generation_records(GenerationRecords::drained(old));
            if self.is_frozen {
                self.recreate_with_more_records(cluster, &ends).await?;
            } else {
                recreate_topic(cluster, schemas::TRADES).await?;
            }
        } else {
            recreate_topic(cluster, schemas::BAR_UPDATES).await?;
        }
        drop(paused);
        // Trades and edits are being sent again, so there are always marked minutes.
        cluster.wait_until_processed(DRAIN_TIMEOUT).await
    }

    /// Drains `trades`, adds a partition, and waits until a role names that. Nothing undoes it but
    /// to recreate the topic.
    pub(super) async fn add_partition_and_recreate(
        &mut self,
        cluster: &TortureCluster,
    ) -> anyhow::Result<()> {
        let paused = pause_and_drain(cluster).await?;
        let old = cluster.kafka.read_topic(schemas::TRADES).await?;
        cluster.kafka.add_partition(schemas::TRADES).await?;
        let count = cluster.kafka.partitions();
        let drift = format!("has {} partitions and had {count}", count + 1);
        wait_until_readiness_names(cluster, &drift).await?;
        cluster.keep_generation_records(GenerationRecords::drained(old));
        recreate_topic(cluster, schemas::TRADES).await?;
        drop(paused);
        cluster.wait_until_processed(DRAIN_TIMEOUT).await
    }

    /// Freezes both roles, and makes the new topic longer than the old one before they continue or
    /// are replaced.
    async fn recreate_with_more_records(
        &mut self,
        cluster: &TortureCluster,
        ends: &[u64],
    ) -> anyhow::Result<()> {
        let kinds = [RoleKind::Aggregator, RoleKind::Archiver];
        let roles: Vec<_> = kinds
            .iter()
            .flat_map(|kind| cluster.processes_of_kind(*kind))
            .collect();
        for role in &roles {
            role.freeze()?;
        }
        recreate_topic(cluster, schemas::TRADES).await?;
        let mut trade_source = TradeSource::new(self.random.fork(), 0);
        let trades: Vec<_> = (0..50).map(|_| trade_source.next_trade()).collect();
        let trades: Vec<_> = trades
            .into_iter()
            .filter_map(|mut venue_trade| {
                // The feed assigns the ids of its own symbols.
                venue_trade.symbol =
                    format!("{}-new-{:x}", venue_trade.symbol, self.random.next_u64()).into();
                venue_trade.trade.id.is_some().then_some(venue_trade)
            })
            .collect();
        cluster.feed.send_to_kafka_while_paused(&trades).await;
        let mut advance = Vec::new();
        TradesTopicRecord::Advance.encode(&mut advance);
        for (partition, end) in (0..).zip(ends) {
            let sends = (0..end + EXTRA_RECORDS).map(|_| {
                cluster.kafka.send_until_acknowledged(
                    schemas::TRADES,
                    Some(partition),
                    b"",
                    &advance,
                )
            });
            join_all(sends).await;
        }
        let is_thawed = self.random.one_in(2);
        cluster.journal.write_event(match is_thawed {
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

/// Stops the producers, and waits until both roles have drained `trades`. Returns the guard that
/// stops the producers.
async fn pause_and_drain(cluster: &TortureCluster) -> anyhow::Result<OwnedRwLockWriteGuard<()>> {
    let paused = clock::timeout(&SystemClock, DRAIN_TIMEOUT, cluster.feed.pause_sending());
    let paused = paused
        .await
        .context("the trades in flight are not acknowledged")?;
    cluster
        .wait_until_processed_and_refolded(DRAIN_TIMEOUT)
        .await?;
    SystemClock.sleep(LATE_APPEND).await;
    cluster
        .wait_until_processed_and_refolded(DRAIN_TIMEOUT)
        .await?;
    Ok(paused)
}

pub(super) async fn recreate_topic(cluster: &TortureCluster, topic: &str) -> anyhow::Result<()> {
    cluster.kafka.delete_topic(topic).await?;
    cluster.apply_topics().await?;
    if topic == schemas::TRADES {
        cluster.epoch.fetch_add(1, Ordering::AcqRel);
    }
    cluster
        .journal
        .write_event(&format!("{topic} was recreated"));
    Ok(())
}
