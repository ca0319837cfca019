//! Loading the state of a partition.

use std::sync::LazyLock;

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, query, query_scalar};

use super::bar_columns::{VALUE_COLUMNS, read_bar_row};
use super::bar_read_session::BEGIN_SNAPSHOT;
use super::column::{partition_as_integer, read_parsed_text, u64_bits_as_bigint};
use super::database_error::DatabaseError;
use super::{amendments, row, topics};
use crate::{PartitionState, StoredBar, id_chunk};

/// A new row begins at the epoch of the current generation or later: a worker that lags may ask for
/// an older epoch, and nothing would move the row afterwards.
const INSERT_PROGRESS: &str = "INSERT INTO partition_progress \
    (partition, epoch, next_offset, updates_epoch, updates_offset, append_time_ns) \
    VALUES ($1, coalesce((SELECT max(epoch) FROM topics WHERE topic = $3 AND epoch > $2), $2), \
    0, 0, 0, 0) ON CONFLICT (partition) DO NOTHING";

const SELECT_PROGRESS: &str = "SELECT partition, epoch, next_offset, updates_epoch, \
    updates_offset, append_time_ns FROM partition_progress WHERE partition = $1";

const SELECT_SYMBOLS: &str = "SELECT instrument, watermark_ns, last_append_ns, closed_until_ns, \
    newest_minute_ns FROM symbols WHERE partition = $1 ORDER BY instrument";

const SELECT_VENUES: &str = "SELECT venue, scheme, scope, ties, lateness_ns, idle_ns, \
    nonpositive_prices, old_times, retired, declared_epoch, declared_offset FROM venues WHERE partition = $1 ORDER BY venue";

static SELECT_OPEN_BARS: LazyLock<String> = LazyLock::new(|| {
    let values = VALUE_COLUMNS.join(", ");
    format!(
        "SELECT venue || ':' || symbol, interval_s, start, {values}, FALSE FROM open_bars \
         WHERE partition = $1 ORDER BY (venue || ':' || symbol) COLLATE \"C\", interval_s, start"
    )
});

/// Inserts the progress row of a partition if there is none.
async fn create_progress_row_if_absent(
    session: &mut PgConnection,
    partition: u32,
    epoch: u64,
) -> Result<(), DatabaseError> {
    query("BEGIN").execute(&mut *session).await?;
    query(topics::LOCK_TOPICS_SHARED)
        .execute(&mut *session)
        .await?;
    query(INSERT_PROGRESS)
        .bind(partition_as_integer(partition)?)
        .bind(u64_bits_as_bigint(epoch))
        .bind(schemas::TRADES)
        .execute(&mut *session)
        .await?;
    query("COMMIT").execute(session).await?;
    Ok(())
}

/// Reads the state of a partition, all of it at one moment.
pub(super) async fn load_or_create_partition(
    session: &mut PgConnection,
    partition: u32,
    epoch: u64,
) -> Result<PartitionState, DatabaseError> {
    create_progress_row_if_absent(session, partition, epoch).await?;
    query(BEGIN_SNAPSHOT).execute(&mut *session).await?;
    let progress = read_rows(session, SELECT_PROGRESS, partition, row::read_progress);
    let progress = progress.await?.pop();
    let state = PartitionState {
        progress: progress.ok_or_else(|| DatabaseError::malformed_value("progress", "no row"))?,
        symbols: read_rows(session, SELECT_SYMBOLS, partition, row::read_symbol).await?,
        venues: read_rows(session, SELECT_VENUES, partition, row::read_venue).await?,
        open_bars: read_rows(session, &SELECT_OPEN_BARS, partition, read_open_bar).await?,
        dirty_minutes: read_rows(
            session,
            amendments::SELECT_DIRTY_MINUTES,
            partition,
            amendments::read_dirty_minute,
        )
        .await?,
        pending_amendments: read_rows(
            session,
            amendments::SELECT_PENDING_AMENDMENTS,
            partition,
            amendments::read_pending_amendment,
        )
        .await?,
        id_digest_key: read_id_digest_key(session).await?,
    };
    query("COMMIT").execute(session).await?;
    Ok(state)
}

async fn read_id_digest_key(session: &mut PgConnection) -> Result<[u8; 32], DatabaseError> {
    let key = query_scalar("SELECT key FROM id_digest_key");
    let key: Vec<u8> = key.fetch_one(session).await?;
    Ok(id_chunk::parse_digest_key(&key)?)
}

fn read_open_bar(row: &PgRow) -> Result<StoredBar, DatabaseError> {
    Ok(StoredBar {
        instrument: read_parsed_text(row, 0, "instrument")?,
        row: read_bar_row(row, 1)?,
    })
}

/// Runs a statement whose one parameter is the partition, and reads each of its rows.
async fn read_rows<T>(
    session: &mut PgConnection,
    sql: &'static str,
    partition: u32,
    read_row: impl Fn(&PgRow) -> Result<T, DatabaseError>,
) -> Result<Vec<T>, DatabaseError> {
    let select = query(AssertSqlSafe(sql)).bind(partition_as_integer(partition)?);
    let rows = select.fetch_all(session).await?;
    rows.iter().map(read_row).collect()
}
