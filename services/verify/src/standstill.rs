//! Partitions that are not folded, although there are records.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use clock::Clock;
use connect::{DataFolder, DataFolderOptions};
use eventlog::{EmbeddedLog, Log, LogError, Record};
use kafka::{KafkaLog, KafkaTopic};
use market::Position;
use schemas::TradesTopicRecord;
use store::BarReader;

/// A partition that has not moved for this time, although there are records, stands still.
const STANDSTILL_AFTER: Duration = Duration::from_secs(10);
/// How often the progress is read meanwhile.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// The bytes of records that are read from the log of a data folder at once.
const FETCH_BYTES: usize = 1 << 20;

/// A partition that stands still, and the offset of its first record that is not folded, or of the
/// first record that the brokers keep from readers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StandingPartition {
    pub(crate) partition: u32,
    pub(crate) offset: u64,
    pub(crate) cause: UnfoldedCause,
}

/// Why a partition stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnfoldedCause {
    /// No aggregator of this database folds its records.
    NotFolded,
    /// A producer has an open transaction.
    OpenTransaction,
    /// No process has the data folder open.
    NoProcess {
        /// How many records are not folded.
        records: u64,
    },
}

/// Returns the partitions of a data folder whose log holds records beyond the positions of
/// `first_unfolded`, one for each partition, while no process has the folder open. If one has, it
/// folds them, and its `/readyz` says whether it does.
///
/// # Errors
/// If the log cannot be read, or does not hold these positions.
pub(crate) async fn find_unfolded_in_folder_unless_locked<C: Clock>(
    path: &Path,
    first_unfolded: &[Position],
    clock: &C,
) -> anyhow::Result<Vec<StandingPartition>> {
    // Bars and ticks that were copied without their log are compared all the same.
    if !DataFolder::exists(path) {
        return Ok(Vec::new());
    }
    let opened =
        DataFolder::open_or_create_trades(path, DataFolderOptions::default(), clock.clone());
    let log = match opened {
        Err(LogError::Locked { .. }) => return Ok(Vec::new()),
        opened => opened.context("cannot read how far the log reaches")?,
    };
    let mut standing = Vec::new();
    for (partition, position) in (0..).zip(first_unfolded) {
        let Some(offset) = find_sent_record(&log, partition, position.offset).await? else {
            continue;
        };
        let records = log.bounds(partition).await?.end - offset;
        standing.push(StandingPartition {
            partition,
            offset,
            cause: UnfoldedCause::NoProcess { records },
        });
    }
    log.close();
    Ok(standing)
}

/// Returns the offset of the first record at `first_unfolded` or later that is not one of the
/// fold's own. A process that stops may leave some of its own.
async fn find_sent_record(
    log: &EmbeddedLog,
    partition: u32,
    first_unfolded: u64,
) -> anyhow::Result<Option<u64>> {
    let bounds = log.bounds(partition).await?;
    if !(bounds.first..=bounds.end).contains(&first_unfolded) {
        bail!(
            "partition {partition} is folded up to offset {first_unfolded}, and the log holds the \
             records from {} up to {}: records are missing, or it is not the log that the bars are \
             folded from",
            bounds.first,
            bounds.end
        );
    }
    let mut offset = first_unfolded;
    while offset < bounds.end {
        let batch = log.fetch(partition, offset, FETCH_BYTES).await?;
        if let Some(sent) = batch.records.iter().find(|record| is_sent_record(record)) {
            return Ok(Some(sent.offset));
        }
        offset = batch.next_offset;
    }
    Ok(None)
}

/// Returns whether a record is not one that workers append themselves.
fn is_sent_record(record: &Record) -> bool {
    use TradesTopicRecord::{Advance, LeftOut, Refold, SettingCopy};
    !matches!(
        TradesTopicRecord::decode(&record.value),
        Ok(Advance | LeftOut(_) | Refold(_) | SettingCopy(..))
    )
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
    let open_at_first = find_open_transactions(topic, clock).await?;
    let begin_ns = clock.monotonic_ns();
    let unfolded = find_partitions_that_stay_unfolded(log, bars, first_unfolded, clock).await?;
    let mut standing: BTreeMap<_, _> = unfolded
        .into_iter()
        .map(|found| (found.partition, found))
        .collect();
    if !open_at_first.is_empty() {
        let waited = Duration::from_nanos(clock.monotonic_ns().saturating_sub(begin_ns));
        clock.sleep(STANDSTILL_AFTER.saturating_sub(waited)).await;
        // A producer that ends one transaction and begins the next moves the offset.
        let mut open = find_open_transactions(topic, clock).await?;
        open.retain(|found| open_at_first.contains(found));
        for found in open {
            // Records that are not folded lie before the transaction.
            standing.entry(found.partition).or_insert(found);
        }
    }
    Ok(standing.into_values().collect())
}

/// Returns the partitions with an open transaction, and where it begins.
async fn find_open_transactions<C: Clock>(
    topic: &KafkaTopic,
    clock: &C,
) -> anyhow::Result<Vec<StandingPartition>> {
    let finder = topic.open_transaction_finder()?;
    let mut open = Vec::new();
    for partition in 0..topic.partition_count() {
        let found = finder.find(partition).await;
        open.extend(found.transpose().map(|offset| {
            offset.map(|offset| StandingPartition {
                partition,
                offset,
                cause: UnfoldedCause::OpenTransaction,
            })
        }));
    }
    kafka::drop_clients(finder, clock).await;
    Ok(open.into_iter().collect::<Result<_, LogError>>()?)
}

/// Returns the partitions that are not folded beyond the positions of `first_unfolded`, one for
/// each partition. Waits only if the log holds records there.
async fn find_partitions_that_stay_unfolded<R: BarReader, C: Clock>(
    log: &KafkaLog,
    bars: &R,
    first_unfolded: &[Position],
    clock: &C,
) -> anyhow::Result<Vec<StandingPartition>> {
    let mut standing = Vec::new();
    for (partition, position) in (0..).zip(first_unfolded) {
        if has_records_from(log, partition, position.offset).await? {
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
            cause: UnfoldedCause::NotFolded,
        });
    Ok(places.collect())
}

/// Returns whether the log holds a record at `offset` or later, or is kept from delivering it.
async fn has_records_from(log: &KafkaLog, partition: u32, offset: u64) -> Result<bool, LogError> {
    match log.fetch(partition, offset, 1).await {
        Ok(batch) if !batch.records.is_empty() => Ok(true),
        Ok(_) => Ok(log.unread_range(partition).is_some()),
        // What retention or a new generation has taken away is reported by the roles.
        Err(LogError::OutOfRange { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}
