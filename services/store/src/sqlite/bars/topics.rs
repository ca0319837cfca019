//! The generations of topics.

use sqlx::{SqliteConnection, query, query_scalar};

use crate::sqlite::column::unsigned;
use crate::sqlite::failure::Failure;

/// What became of a generation that was to be adopted.
pub(super) enum Adopted {
    /// It is the current one, of this epoch.
    Current(u64),
    /// Another came after it.
    Superseded,
}

pub(super) const EPOCH: &str = "SELECT epoch FROM topics WHERE topic = ? AND topic_id = ?";

/// Adopts a generation where it is new, and moves the progress with it where the topic is
/// `trades`.
pub(super) async fn adopt(
    connection: &mut SqliteConnection,
    topic: &str,
    topic_id: &str,
) -> Result<Adopted, Failure> {
    let newest: Option<i64> = query_scalar("SELECT max(epoch) FROM topics WHERE topic = ?")
        .bind(topic)
        .fetch_one(&mut *connection)
        .await?;
    let known: Option<i64> = query_scalar(EPOCH)
        .bind(topic)
        .bind(topic_id)
        .fetch_optional(&mut *connection)
        .await?;
    let newest = newest.map_or(0, signed_to_unsigned);
    match known.map(signed_to_unsigned) {
        Some(epoch) if epoch == newest => return Ok(Adopted::Current(epoch)),
        Some(_) => return Ok(Adopted::Superseded),
        None => {}
    }
    let epoch = newest + 1;
    query("INSERT INTO topics (topic, topic_id, epoch) VALUES (?, ?, ?)")
        .bind(topic)
        .bind(topic_id)
        .bind(unsigned(epoch))
        .execute(&mut *connection)
        .await?;
    if topic == schemas::TRADES {
        query("UPDATE partition_progress SET epoch = ?, next_offset = ?")
            .bind(unsigned(epoch))
            .bind(unsigned(0))
            .execute(connection)
            .await?;
    }
    Ok(Adopted::Current(epoch))
}

/// The number that [`unsigned`] wrote.
pub(super) const fn signed_to_unsigned(column: i64) -> u64 {
    column.cast_unsigned() ^ (1 << 63)
}
