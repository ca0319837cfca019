//! Partitions that are not folded, although there are records.

use std::collections::BTreeMap;
use std::time::Duration;

use clock::Clock;
use eventlog::{Log, LogError};
use kafka::{KafkaLog, KafkaTopic};
use market::Position;
use store::BarReader;

/// A partition that has not moved for this time, although there are records, stands still.
const STANDSTILL_AFTER: Duration = Duration::from_secs(10);
/// How often the progress is read meanwhile.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// A partition that stands still, and the offset of its first record that is not folded, or of the
/// first record that the brokers keep from readers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StandingPartition {
    pub(crate) partition: u32,
    pub(crate) offset: u64,
    pub(crate) cause: StandstillCause,
}

/// Why a partition stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StandstillCause {
    /// No aggregator of this database folds its records.
    NotFolded,
    /// A producer has an open transaction.
    OpenTransaction,
}

/// Returns the partitions of `trades` that stand still: those at the positions of `first_unfolded`,
/// one for each partition, and those with a transaction that stays open. Waits only if there are
/// records or transactions.
pub(crate) async fn find_standing_partitions<R: BarReader, C: Clock>(
    (topic, log): (&KafkaTopic, &KafkaLog),
    bars: &R,
    first_unfolded: &[Position],
    clock: &C,
) -> anyhow::Result<Vec<StandingPartition>> {
    let open_at_first = find_open_transactions(topic).await?;
    let begin_ns = clock.monotonic_ns();
    let unfolded = find_unfolded_partitions(log, bars, first_unfolded, clock).await?;
    let mut standing: BTreeMap<_, _> = unfolded
        .into_iter()
        .map(|found| (found.partition, found))
        .collect();
    if !open_at_first.is_empty() {
        let waited = Duration::from_nanos(clock.monotonic_ns().saturating_sub(begin_ns));
        clock.sleep(STANDSTILL_AFTER.saturating_sub(waited)).await;
        // A producer that ends one transaction and begins the next moves the offset.
        let mut open = find_open_transactions(topic).await?;
        open.retain(|found| open_at_first.contains(found));
        for found in open {
            // Records that are not folded lie before the transaction.
            standing.entry(found.partition).or_insert(found);
        }
    }
    Ok(standing.into_values().collect())
}

/// Returns the partitions with an open transaction, and where it begins.
async fn find_open_transactions(topic: &KafkaTopic) -> anyhow::Result<Vec<StandingPartition>> {
    let finder = topic.open_transaction_finder()?;
    let mut open = Vec::new();
    for partition in 0..topic.partitions() {
        let found = finder.find(partition).await;
        open.extend(found.transpose().map(|offset| {
            offset.map(|offset| StandingPartition {
                partition,
                offset,
                cause: StandstillCause::OpenTransaction,
            })
        }));
    }
    // Dropping the clients blocks for a moment.
    tokio::task::spawn_blocking(move || drop(finder)).await?;
    Ok(open.into_iter().collect::<Result<_, LogError>>()?)
}

/// Returns the partitions that are not folded beyond the positions of `first_unfolded`, one for
/// each partition. Waits only if the log holds records there.
async fn find_unfolded_partitions<R: BarReader, C: Clock>(
    log: &KafkaLog,
    bars: &R,
    first_unfolded: &[Position],
    clock: &C,
) -> anyhow::Result<Vec<StandingPartition>> {
    let mut standing = Vec::new();
    for (partition, position) in (0..).zip(first_unfolded) {
        if has_records_at(log, partition, position.offset).await? {
            standing.push((partition, *position));
        }
    }
    let begin_ns = clock.monotonic_ns();
    let has_time =
        || Duration::from_nanos(clock.monotonic_ns().saturating_sub(begin_ns)) < STANDSTILL_AFTER;
    loop {
        let rows = bars.all_partition_progress().await?;
        standing.retain(|(partition, position)| {
            let row = rows.iter().find(|row| row.partition == *partition);
            row.map_or_else(Position::default, |row| row.next_position()) <= *position
        });
        if standing.is_empty() || !has_time() {
            break;
        }
        clock.sleep(POLL_INTERVAL).await;
    }
    let places = standing
        .into_iter()
        .map(|(partition, position)| StandingPartition {
            partition,
            offset: position.offset,
            cause: StandstillCause::NotFolded,
        });
    Ok(places.collect())
}

/// Returns whether the log holds a record at `offset` or later, or is kept from delivering it.
async fn has_records_at(log: &KafkaLog, partition: u32, offset: u64) -> Result<bool, LogError> {
    match log.fetch(partition, offset, 1).await {
        Ok(batch) if !batch.records.is_empty() => Ok(true),
        Ok(_) => Ok(log.unread_records(partition).is_some()),
        // What retention or a new generation has taken away is reported by the roles.
        Err(LogError::OutOfRange { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}
