//! The generations of topics.

use sqlx::{PgConnection, query, query_scalar};

use super::column::bits;
use super::failure::Failure;

/// What became of a generation that was to be adopted.
pub(super) enum Adopted {
    /// It is the current one, of this epoch.
    Current(u64),
    /// Another came after it.
    Superseded,
}

pub(super) const EPOCH: &str = "SELECT epoch FROM topics WHERE topic = $1 AND topic_id = $2";

/// Of several that adopt, one goes on; and nobody makes a progress row meanwhile.
const LOCK: &str = "LOCK TABLE topics IN SHARE ROW EXCLUSIVE MODE";

/// The mode that [`LOCK`] excludes; it does not exclude itself.
pub(super) const LOCK_SHARED: &str = "LOCK TABLE topics IN ROW EXCLUSIVE MODE";

/// Adopts a generation where it is new, and moves the progress with it where the topic is
/// `trades`; inside a transaction.
pub(super) async fn adopt(
    session: &mut PgConnection,
    topic: &str,
    topic_id: &str,
) -> Result<Adopted, Failure> {
    query(LOCK).execute(&mut *session).await?;
    let newest: Option<i64> = query_scalar("SELECT max(epoch) FROM topics WHERE topic = $1")
        .bind(topic)
        .fetch_one(&mut *session)
        .await?;
    let known: Option<i64> = query_scalar(EPOCH)
        .bind(topic)
        .bind(topic_id)
        .fetch_optional(&mut *session)
        .await?;
    let newest = newest.map_or(0, i64::cast_unsigned);
    match known.map(i64::cast_unsigned) {
        Some(epoch) if epoch == newest => return Ok(Adopted::Current(epoch)),
        Some(_) => return Ok(Adopted::Superseded),
        None => {}
    }
    let epoch = newest + 1;
    query("INSERT INTO topics (topic, topic_id, epoch) VALUES ($1, $2, $3)")
        .bind(topic)
        .bind(topic_id)
        .bind(bits(epoch))
        .execute(&mut *session)
        .await?;
    if topic == schemas::TRADES {
        query("UPDATE partition_progress SET epoch = $1, next_offset = 0")
            .bind(bits(epoch))
            .execute(session)
            .await?;
    }
    Ok(Adopted::Current(epoch))
}
