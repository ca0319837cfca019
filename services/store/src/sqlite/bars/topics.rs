//! The table `topics`: the generations of topics.

use market::Position;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection, query};

use crate::error::StoreError;
use crate::sqlite::column::{read_ordered_u64, read_partition, u64_as_ordered_column};
use crate::sqlite::database_error::DatabaseError;
use crate::topic_generation::{RegisteredTopicGeneration, RegistrationDecision, TopicGeneration};

/// Selects `topic_id`, epoch, partitions, origin of a topic.
pub(super) const SELECT_TOPICS: &str =
    "SELECT topic_id, epoch, partitions, origin FROM topics WHERE topic = ? ORDER BY epoch";

/// Puts the settings of each venue's latest change in force in a partition of a new generation. It
/// may not have folded that change, and can no longer do so.
const EQUALIZE_SETTINGS: &str = "INSERT OR REPLACE INTO venues \
    (partition, venue, scheme, scope, ties, lateness_ns, idle_ns, nonpositive_prices, old_times, \
    retired, declared_epoch, declared_offset) \
    SELECT ?1, venue, scheme, scope, ties, lateness_ns, idle_ns, nonpositive_prices, old_times, \
    retired, declared_epoch, declared_offset FROM (SELECT *, row_number() OVER (PARTITION BY venue \
    ORDER BY declared_epoch DESC, declared_offset DESC) AS place FROM venues) WHERE place = 1";

/// Registers a generation if it is new. If the topic is `trades`, this also moves the progress of
/// all partitions to the new generation, and gives them all the same settings. The inner result
/// says why the generation may not be registered.
pub(super) async fn register_topic(
    connection: &mut SqliteConnection,
    generation: &TopicGeneration,
    store: &str,
) -> Result<Result<u64, StoreError>, DatabaseError> {
    let rows = query(SELECT_TOPICS)
        .bind(generation.topic.clone())
        .fetch_all(&mut *connection)
        .await?;
    let registered = rows.iter().map(read_registered_generation);
    let registered: Vec<_> = registered.collect::<Result<_, _>>()?;
    let epoch = match generation.decide_registration(&registered, store) {
        Ok(RegistrationDecision::Current(epoch)) => return Ok(Ok(epoch)),
        Ok(RegistrationDecision::New(epoch)) => epoch,
        Err(refused) => return Ok(Err(refused)),
    };
    query("INSERT INTO topics (topic, topic_id, epoch, partitions, origin) VALUES (?, ?, ?, ?, ?)")
        .bind(generation.topic.clone())
        .bind(generation.topic_id.clone())
        .bind(u64_as_ordered_column(epoch))
        .bind(generation.partitions)
        .bind(generation.origin.clone())
        .execute(&mut *connection)
        .await?;
    if generation.topic == schemas::TRADES {
        if let Some(ended) = registered.last() {
            record_epoch_ends(connection, ended).await?;
            for partition in 0..generation.partitions {
                query(EQUALIZE_SETTINGS)
                    .bind(partition)
                    .execute(&mut *connection)
                    .await?;
            }
        }
        query("UPDATE partition_progress SET epoch = ?, next_offset = ?")
            .bind(u64_as_ordered_column(epoch))
            .bind(u64_as_ordered_column(0))
            .execute(connection)
            .await?;
    }
    Ok(Ok(epoch))
}

/// Records where each partition of a generation of `trades` ends.
async fn record_epoch_ends(
    connection: &mut SqliteConnection,
    ended: &RegisteredTopicGeneration,
) -> Result<(), DatabaseError> {
    for partition in 0..ended.partitions {
        query(
            "INSERT INTO epoch_ends (partition, epoch, end_offset) VALUES (?1, ?2, \
             coalesce((SELECT next_offset FROM partition_progress \
             WHERE partition = ?1 AND epoch = ?2), ?3))",
        )
        .bind(partition)
        .bind(u64_as_ordered_column(ended.epoch))
        .bind(u64_as_ordered_column(0))
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Selects the epoch and the end of each earlier generation of a partition.
pub(super) const SELECT_EPOCH_ENDS: &str =
    "SELECT epoch, end_offset FROM epoch_ends WHERE partition = ? ORDER BY epoch";

/// Reads a row of [`SELECT_EPOCH_ENDS`].
pub(super) fn read_epoch_end(row: &SqliteRow) -> Result<Position, DatabaseError> {
    Ok(Position {
        epoch: read_ordered_u64(row, 0)?,
        offset: read_ordered_u64(row, 1)?,
    })
}

/// Reads a row of [`SELECT_TOPICS`].
pub(super) fn read_registered_generation(
    row: &SqliteRow,
) -> Result<RegisteredTopicGeneration, DatabaseError> {
    Ok(RegisteredTopicGeneration {
        topic_id: row.try_get(0)?,
        epoch: read_ordered_u64(row, 1)?,
        partitions: read_partition(row, 2)?,
        origin: row.try_get(3)?,
    })
}
