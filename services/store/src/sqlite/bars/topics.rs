//! The table `topics`: the generations of topics.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection, query};

use crate::error::StoreError;
use crate::sqlite::column::{read_partition, read_u64, u64_as_ordered_column};
use crate::sqlite::database_error::DatabaseError;
use crate::topic_generation::{RegisteredTopic, TopicGeneration, TopicRegistration};

/// Selects `topic_id`, epoch, partitions, origin of a topic.
pub(super) const SELECT_TOPICS: &str =
    "SELECT topic_id, epoch, partitions, origin FROM topics WHERE topic = ? ORDER BY epoch";

/// Registers a generation if it is new. If the topic is `trades`, this also moves the progress of
/// all partitions to the new generation. The inner result says why the generation may not be
/// registered.
pub(super) async fn register_topic(
    connection: &mut SqliteConnection,
    generation: &TopicGeneration,
    store: &str,
) -> Result<Result<u64, StoreError>, DatabaseError> {
    let rows = query(SELECT_TOPICS)
        .bind(generation.topic.clone())
        .fetch_all(&mut *connection)
        .await?;
    let registered = rows.iter().map(read_registered_topic);
    let registered: Vec<_> = registered.collect::<Result<_, _>>()?;
    let epoch = match generation.registration(&registered, store) {
        Ok(TopicRegistration::Current(epoch)) => return Ok(Ok(epoch)),
        Ok(TopicRegistration::New(epoch)) => epoch,
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
        query("UPDATE partition_progress SET epoch = ?, next_offset = ?")
            .bind(u64_as_ordered_column(epoch))
            .bind(u64_as_ordered_column(0))
            .execute(connection)
            .await?;
    }
    Ok(Ok(epoch))
}

/// Reads a row of [`SELECT_TOPICS`].
pub(super) fn read_registered_topic(row: &SqliteRow) -> Result<RegisteredTopic, DatabaseError> {
    Ok(RegisteredTopic {
        topic_id: row.try_get(0)?,
        epoch: read_u64(row, 1)?,
        partitions: read_partition(row, 2)?,
        origin: row.try_get(3)?,
    })
}
