//! Partitions that nobody folds, although there are records.

use std::time::Duration;

use clock::Clock;
use eventlog::{Log, LogError};
use kafka::KafkaLog;
use market::Position;
use store::BarReader;

/// A partition that has not moved for this time, although there are records, stands still.
const STANDSTILL_AFTER: Duration = Duration::from_secs(10);
/// How often the progress is read meanwhile.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// A partition that stands still, and its first record that is not folded, or its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StandingPartition {
    pub(crate) partition: u32,
    pub(crate) offset: u64,
}

/// Returns the partitions that stand still at the positions of `first_unfolded`, one for each
/// partition. Waits only if the log holds records there.
pub(crate) async fn find_standing_partitions<R: BarReader, C: Clock>(
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
