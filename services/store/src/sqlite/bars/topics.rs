//! The table `topics`: the generations of topics.

use sqlx::{SqliteConnection, query, query_scalar};

use crate::sqlite::column::{u64_as_ordered_column, u64_from_ordered_column};
use crate::sqlite::database_error::DatabaseError;

/// The outcome of registering a generation.
pub(super) enum TopicRegistration {
    /// The generation is the current one and has this epoch.
    Current(u64),
    /// A later generation is the current one.
    Superseded,
}

pub(super) const SELECT_EPOCH: &str = "SELECT epoch FROM topics WHERE topic = ? AND topic_id = ?";

/// Registers a generation if it is new. If the topic is `trades`, this also moves the progress of
/// all partitions to the new generation.
pub(super) async fn register_topic(
    connection: &mut SqliteConnection,
    topic: &str,
    topic_id: &str,
) -> Result<TopicRegistration, DatabaseError> {
    let newest: Option<i64> = query_scalar("SELECT max(epoch) FROM topics WHERE topic = ?")
        .bind(topic)
        .fetch_one(&mut *connection)
        .await?;
    let known: Option<i64> = query_scalar(SELECT_EPOCH)
        .bind(topic)
        .bind(topic_id)
        .fetch_optional(&mut *connection)
        .await?;
    let newest = newest.map_or(0, u64_from_ordered_column);
    match known.map(u64_from_ordered_column) {
        Some(epoch) if epoch == newest => return Ok(TopicRegistration::Current(epoch)),
        Some(_) => return Ok(TopicRegistration::Superseded),
        None => {}
    }
    let epoch = newest + 1;
    query("INSERT INTO topics (topic, topic_id, epoch) VALUES (?, ?, ?)")
        .bind(topic)
        .bind(topic_id)
        .bind(u64_as_ordered_column(epoch))
        .execute(&mut *connection)
        .await?;
    if topic == schemas::TRADES {
        query("UPDATE partition_progress SET epoch = ?, next_offset = ?")
            .bind(u64_as_ordered_column(epoch))
            .bind(u64_as_ordered_column(0))
            .execute(connection)
            .await?;
    }
    Ok(TopicRegistration::Current(epoch))
}
