//! The generations of topics.

use market::Position;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row, query};

use super::column::{
    partition_as_integer, read_bigint_bits_as_u64, read_partition, u64_bits_as_bigint,
};
use super::database_error::DatabaseError;
use crate::StoreError;
use crate::topic_generation::{RegisteredTopicGeneration, RegistrationDecision, TopicGeneration};

/// Selects `topic_id`, epoch, partitions, origin of a topic.
pub(super) const SELECT_TOPICS: &str =
    "SELECT topic_id, epoch, partitions, origin FROM topics WHERE topic = $1 ORDER BY epoch";

const INSERT_TOPIC: &str = "INSERT INTO topics (topic, topic_id, epoch, partitions, origin) \
    VALUES ($1, $2, $3, $4, $5)";

/// Waits until no worker is committing, and lets none commit before this transaction has ended: the
/// statements after it read where the last commit has moved each partition.
const LOCK_PROGRESS: &str =
    "SELECT partition FROM partition_progress ORDER BY partition FOR UPDATE";

/// Records where each partition of a generation ends. The ends must not change once a reader has
/// seen them, so this transaction waits for the disk, whatever the server's setting.
const INSERT_EPOCH_ENDS: &str = "INSERT INTO epoch_ends (partition, epoch, end_offset) \
    SELECT numbers.partition, $2, coalesce(progress.next_offset, 0) \
    FROM generate_series(0, $1 - 1) AS numbers (partition) \
    LEFT JOIN partition_progress AS progress \
    ON progress.partition = numbers.partition AND progress.epoch = $2";

/// Puts the settings of each venue's latest change in force in every partition of a new generation.
/// Partitions that have not folded that change can no longer do so. Positions are the bits of
/// unsigned integers.
const EQUALIZE_SETTINGS: &str = "INSERT INTO venues \
    (partition, venue, scheme, scope, ties, lateness_ns, idle_ns, nonpositive_prices, old_times, \
    retired, declared_epoch, declared_offset) \
    SELECT numbers.partition, latest.venue, latest.scheme, latest.scope, latest.ties, \
    latest.lateness_ns, latest.idle_ns, latest.nonpositive_prices, latest.old_times, \
    latest.retired, latest.declared_epoch, latest.declared_offset \
    FROM generate_series(0, $1 - 1) AS numbers (partition) CROSS JOIN ( \
    SELECT DISTINCT ON (venue) * FROM venues ORDER BY venue, declared_epoch < 0 DESC, \
    declared_epoch DESC, declared_offset < 0 DESC, declared_offset DESC) AS latest \
    ON CONFLICT (partition, venue) DO UPDATE SET scheme = excluded.scheme, \
    scope = excluded.scope, ties = excluded.ties, lateness_ns = excluded.lateness_ns, \
    idle_ns = excluded.idle_ns, nonpositive_prices = excluded.nonpositive_prices, \
    old_times = excluded.old_times, retired = excluded.retired, declared_epoch = excluded.declared_epoch, \
    declared_offset = excluded.declared_offset";

/// Selects the epoch and the end of each earlier generation of a partition.
pub(super) const SELECT_EPOCH_ENDS: &str =
    "SELECT epoch, end_offset FROM epoch_ends WHERE partition = $1 ORDER BY epoch";

/// Lets the next generation of every topic be of any log.
pub(super) const CLEAR_ORIGINS: &str = "UPDATE topics SET origin = NULL";

/// Lets one process at a time register a generation, while no progress row is inserted.
const LOCK_TOPICS: &str = "LOCK TABLE topics IN SHARE ROW EXCLUSIVE MODE";

/// The mode that [`LOCK_TOPICS`] excludes, and that several transactions can hold at once.
pub(super) const LOCK_TOPICS_SHARED: &str = "LOCK TABLE topics IN ROW EXCLUSIVE MODE";

/// Registers a generation of a topic if it is new, and then, if the topic is `trades`, moves the
/// progress of every partition to it and gives all partitions the same settings. Must be called
/// inside a transaction. The inner result says why the generation may not be registered.
pub(super) async fn register_topic(
    session: &mut PgConnection,
    generation: &TopicGeneration,
    store: &str,
) -> Result<Result<u64, StoreError>, DatabaseError> {
    query(LOCK_TOPICS).execute(&mut *session).await?;
    let rows = query(SELECT_TOPICS)
        .bind(&generation.topic)
        .fetch_all(&mut *session)
        .await?;
    let registered = rows.iter().map(read_registered_generation);
    let registered: Vec<_> = registered.collect::<Result<_, _>>()?;
    let epoch = match generation.decide_registration(&registered, store) {
        Ok(RegistrationDecision::Current(epoch)) => return Ok(Ok(epoch)),
        Ok(RegistrationDecision::New(epoch)) => epoch,
        Err(refused) => return Ok(Err(refused)),
    };
    query(INSERT_TOPIC)
        .bind(&generation.topic)
        .bind(&generation.topic_id)
        .bind(u64_bits_as_bigint(epoch))
        .bind(partition_as_integer(generation.partitions)?)
        .bind(&generation.origin)
        .execute(&mut *session)
        .await?;
    if generation.topic == schemas::TRADES {
        if let Some(ended) = registered.last() {
            query("SET LOCAL synchronous_commit = on")
                .execute(&mut *session)
                .await?;
            query(LOCK_PROGRESS).execute(&mut *session).await?;
            query(INSERT_EPOCH_ENDS)
                .bind(partition_as_integer(ended.partitions)?)
                .bind(u64_bits_as_bigint(ended.epoch))
                .execute(&mut *session)
                .await?;
            query(EQUALIZE_SETTINGS)
                .bind(partition_as_integer(generation.partitions)?)
                .execute(&mut *session)
                .await?;
        }
        query("UPDATE partition_progress SET epoch = $1, next_offset = 0")
            .bind(u64_bits_as_bigint(epoch))
            .execute(session)
            .await?;
    }
    Ok(Ok(epoch))
}

/// Reads a row of [`SELECT_EPOCH_ENDS`].
pub(super) fn read_epoch_end(row: &PgRow) -> Result<Position, DatabaseError> {
    Ok(Position {
        epoch: read_bigint_bits_as_u64(row, 0)?,
        offset: read_bigint_bits_as_u64(row, 1)?,
    })
}

/// Reads a row of [`SELECT_TOPICS`].
pub(super) fn read_registered_generation(
    row: &PgRow,
) -> Result<RegisteredTopicGeneration, DatabaseError> {
    Ok(RegisteredTopicGeneration {
        topic_id: row.try_get(0)?,
        epoch: read_bigint_bits_as_u64(row, 1)?,
        partitions: read_partition(row, 2)?,
        origin: row.try_get(3)?,
    })
}
