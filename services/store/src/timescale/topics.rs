//! The generations of topics.

use sqlx::{PgConnection, query, query_scalar};

use super::column::u64_bits_as_bigint;
use super::database_error::DatabaseError;

/// The result of registering a generation of a topic.
pub(super) enum TopicRegistration {
    /// The generation is the current one, and has this epoch.
    Current(u64),
    /// A later generation has been registered.
    Superseded,
}

pub(super) const SELECT_EPOCH: &str = "SELECT epoch FROM topics WHERE topic = $1 AND topic_id = $2";

/// Lets one process at a time register a generation, while no progress row is inserted.
const LOCK_TOPICS: &str = "LOCK TABLE topics IN SHARE ROW EXCLUSIVE MODE";

/// The mode that [`LOCK_TOPICS`] excludes, and that several transactions can hold at once.
pub(super) const LOCK_TOPICS_SHARED: &str = "LOCK TABLE topics IN ROW EXCLUSIVE MODE";

/// Registers a generation of a topic if it is new, and then, if the topic is `trades`, moves the
/// progress of every partition to it. Must be called inside a transaction.
pub(super) async fn register_topic(
    session: &mut PgConnection,
    topic: &str,
    topic_id: &str,
) -> Result<TopicRegistration, DatabaseError> {
    query(LOCK_TOPICS).execute(&mut *session).await?;
    let newest: Option<i64> = query_scalar("SELECT max(epoch) FROM topics WHERE topic = $1")
        .bind(topic)
        .fetch_one(&mut *session)
        .await?;
    let known: Option<i64> = query_scalar(SELECT_EPOCH)
        .bind(topic)
        .bind(topic_id)
        .fetch_optional(&mut *session)
        .await?;
    let newest = newest.map_or(0, i64::cast_unsigned);
    match known.map(i64::cast_unsigned) {
        Some(epoch) if epoch == newest => return Ok(TopicRegistration::Current(epoch)),
        Some(_) => return Ok(TopicRegistration::Superseded),
        None => {}
    }
    let epoch = newest + 1;
    query("INSERT INTO topics (topic, topic_id, epoch) VALUES ($1, $2, $3)")
        .bind(topic)
        .bind(topic_id)
        .bind(u64_bits_as_bigint(epoch))
        .execute(&mut *session)
        .await?;
    if topic == schemas::TRADES {
        query("UPDATE partition_progress SET epoch = $1, next_offset = 0")
            .bind(u64_bits_as_bigint(epoch))
            .execute(session)
            .await?;
    }
    Ok(TopicRegistration::Current(epoch))
}
