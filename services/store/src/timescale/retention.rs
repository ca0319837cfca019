//! Deleting expired data: whole chunks if everything in them has expired, otherwise rows, a bounded
//! number in each call.
//!
//! The retention policies of TimescaleDB do not fit. They go by the event time of a chunk or by the
//! time of its creation. A tape of 2013 is old by the first, and a second tape of that year is old
//! by the second, on the day on which it is read.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row, query, query_scalar};

use super::database_error::DatabaseError;
use super::id_set_key::{IdSetKeyColumns, read_id_set_key};
use super::timestamptz::Timestamptz;

/// About how many rows one call deletes. Sets of ids and chunks are deleted whole.
const MAX_ROWS: u64 = 10_000;

/// Selects a chunk whose days hold only expired bars.
const SELECT_EXPIRED_CHUNK: &str = "SELECT c.range_start, c.range_end \
    FROM timescaledb_information.chunks AS c \
    WHERE c.hypertable_schema = current_schema() AND c.hypertable_name = 'bars' \
    AND NOT EXISTS (SELECT 1 FROM bar_days AS d WHERE d.day >= c.range_start \
                    AND d.day < c.range_end AND d.newest_append_ns >= $1) \
    ORDER BY c.range_start LIMIT 1";

/// A transaction that writes closed bars writes their days first. It either did so before this
/// lock, and the next statement sees its rows, or it waits for this transaction.
const LOCK_BAR_DAYS: &str = "LOCK TABLE bar_days IN SHARE ROW EXCLUSIVE MODE";

/// Selects the number and the greatest append time of the rows of a chunk.
const SELECT_CHUNK_CONTENT: &str =
    "SELECT count(*), max(first_append_ns) FROM bars WHERE start >= $1 AND start < $2";

/// Adds the days of bars that no commit wrote, such as those of a restored table.
const ADD_MISSING_BAR_DAYS: &str = "INSERT INTO bar_days \
    (partition, day, oldest_append_ns, newest_append_ns) \
    SELECT 0, date_trunc('day', start, 'UTC'), min(first_append_ns), max(first_append_ns) \
    FROM bars WHERE start >= $1 AND start < $2 GROUP BY 2 \
    ON CONFLICT (partition, day) DO UPDATE SET \
    oldest_append_ns = least(bar_days.oldest_append_ns, excluded.oldest_append_ns), \
    newest_append_ns = greatest(bar_days.newest_append_ns, excluded.newest_append_ns)";

const SELECT_DAY_WITH_EXPIRED_BARS: &str =
    "SELECT day FROM bar_days WHERE oldest_append_ns < $1 ORDER BY day LIMIT 1";

const LOCK_DAY: &str = "SELECT 1 FROM bar_days WHERE day = $1 ORDER BY partition FOR UPDATE";

const DELETE_BARS_OF_DAY: &str = "DELETE FROM bars WHERE (venue, symbol, interval_s, start) IN \
    (SELECT venue, symbol, interval_s, start FROM bars \
     WHERE start >= $1 AND start < $2 AND first_append_ns < $3 LIMIT $4) \
    AND start >= $1 AND start < $2";

const DELETE_EXPIRED_DAY: &str = "DELETE FROM bar_days WHERE day = $1 AND newest_append_ns < $2";

const RAISE_OLDEST_OF_DAY: &str =
    "UPDATE bar_days SET oldest_append_ns = $2 WHERE day = $1 AND oldest_append_ns < $2";

const DELETE_OPEN_BARS: &str = "DELETE FROM open_bars \
    WHERE (venue, symbol, interval_s, start) IN \
    (SELECT venue, symbol, interval_s, start FROM open_bars WHERE first_append_ns < $1 LIMIT $2 \
     FOR UPDATE SKIP LOCKED)";

const DELETE_EXCLUDED_RANGES: &str = "DELETE FROM excluded_ranges \
    WHERE (partition, epoch, first_offset) IN \
    (SELECT partition, epoch, first_offset FROM excluded_ranges WHERE append_time_ns < $1 LIMIT $2 \
     FOR UPDATE SKIP LOCKED)";

const DELETE_EXCLUDED_AMENDMENTS: &str = "DELETE FROM excluded_amendments \
    WHERE (partition, epoch, first_offset) IN \
    (SELECT partition, epoch, first_offset FROM excluded_amendments \
     WHERE append_time_ns < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)";

/// Deletes those whose ids belong to no hour or day too, although sets of such ids are kept: an
/// edit or a cancel waits for its trade only for the horizon.
const DELETE_PENDING_AMENDMENTS: &str = "DELETE FROM pending_amendments \
    WHERE (instrument, scope, bucket_ns, id) IN \
    (SELECT instrument, scope, bucket_ns, id FROM pending_amendments \
     WHERE append_time_ns < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)";

/// Two searches of one index: the sets that are kept longer are not read before they expire. The
/// order makes a plan without the values of the parameters search the index too.
const SELECT_EXPIRED_ID_SETS: [&str; 2] = [
    "SELECT instrument, scope, bucket_ns FROM id_sets \
     WHERE bucket_ns <> -1 AND NOT is_of_amendments \
     AND last_append_hour <= $1 / 3600000000000 AND last_append_ns < $1 \
     ORDER BY last_append_hour LIMIT $2 FOR UPDATE SKIP LOCKED",
    "SELECT instrument, scope, bucket_ns FROM id_sets \
     WHERE bucket_ns <> -1 AND is_of_amendments \
     AND last_append_hour <= $1 / 3600000000000 AND last_append_ns < $1 \
     ORDER BY last_append_hour LIMIT $2 FOR UPDATE SKIP LOCKED",
];

/// Delete the rows of some sets, from each table of ids. The last table names the sets.
const DELETE_ID_SETS: [&str; 3] = [
    "DELETE FROM id_ranges AS t \
     USING unnest($1, $2, $3) AS expired (instrument, scope, bucket_ns) \
     WHERE t.instrument = expired.instrument AND t.scope = expired.scope \
     AND t.bucket_ns = expired.bucket_ns",
    "DELETE FROM id_chunks AS t \
     USING unnest($1, $2, $3) AS expired (instrument, scope, bucket_ns) \
     WHERE t.instrument = expired.instrument AND t.scope = expired.scope \
     AND t.bucket_ns = expired.bucket_ns",
    "DELETE FROM id_sets AS t \
     USING unnest($1, $2, $3) AS expired (instrument, scope, bucket_ns) \
     WHERE t.instrument = expired.instrument AND t.scope = expired.scope \
     AND t.bucket_ns = expired.bucket_ns",
];

/// Drops one chunk that holds only expired bars, and returns how many rows it held. Must be called
/// inside a transaction.
pub(super) async fn drop_expired_chunk_and_count_rows(
    session: &mut PgConnection,
    bars_before_ns: i64,
) -> Result<u64, DatabaseError> {
    let chunk = query(SELECT_EXPIRED_CHUNK).bind(bars_before_ns);
    let Some(chunk) = chunk.fetch_optional(&mut *session).await? else {
        return Ok(0);
    };
    let (start, end): (Timestamptz, Timestamptz) = (chunk.try_get(0)?, chunk.try_get(1)?);
    query(LOCK_BAR_DAYS).execute(&mut *session).await?;
    let content = query(SELECT_CHUNK_CONTENT).bind(start).bind(end);
    let content = content.fetch_one(&mut *session).await?;
    let (rows, newest_ns): (i64, Option<i64>) = (content.try_get(0)?, content.try_get(1)?);
    if newest_ns.is_some_and(|newest_ns| newest_ns >= bars_before_ns) {
        let add_days = query(ADD_MISSING_BAR_DAYS).bind(start).bind(end);
        add_days.execute(session).await?;
        return Ok(0);
    }
    query("SELECT drop_chunks('bars', older_than => $2, newer_than => $1)")
        .bind(start)
        .bind(end)
        .fetch_all(&mut *session)
        .await?;
    query("DELETE FROM bar_days WHERE day >= $1 AND day < $2")
        .bind(start)
        .bind(end)
        .execute(session)
        .await?;
    Ok(rows.unsigned_abs())
}

/// Deletes expired rows, and returns how many. Must be called inside a transaction. Closed bars are
/// kept for another `slack_ns`, during which their chunk may be dropped.
pub(super) async fn delete_expired_rows(
    session: &mut PgConnection,
    bars_before_ns: i64,
    slack_ns: i64,
    ids_before_ns: i64,
    amendments_before_ns: i64,
) -> Result<u64, DatabaseError> {
    let mut deleted = delete_closed_bars(session, bars_before_ns.saturating_sub(slack_ns)).await?;
    let statements = [
        (DELETE_OPEN_BARS, bars_before_ns),
        (DELETE_EXCLUDED_RANGES, ids_before_ns),
        (DELETE_EXCLUDED_AMENDMENTS, amendments_before_ns),
        (DELETE_PENDING_AMENDMENTS, ids_before_ns),
    ];
    for (sql, before_ns) in statements {
        let delete = query(sql)
            .bind(before_ns)
            .bind(remaining_row_budget(deleted));
        deleted += delete.execute(&mut *session).await?.rows_affected();
    }
    deleted += delete_id_sets(session, bars_before_ns, ids_before_ns, deleted).await?;
    Ok(deleted)
}

/// Deletes expired closed bars day by day, so that only chunks that hold some are read.
async fn delete_closed_bars(
    session: &mut PgConnection,
    before_ns: i64,
) -> Result<u64, DatabaseError> {
    let mut deleted = 0;
    while deleted < MAX_ROWS {
        let day: Option<Timestamptz> = query_scalar(SELECT_DAY_WITH_EXPIRED_BARS)
            .bind(before_ns)
            .fetch_optional(&mut *session)
            .await?;
        let Some(day) = day else { break };
        query(LOCK_DAY).bind(day).fetch_all(&mut *session).await?;
        let delete = query(DELETE_BARS_OF_DAY)
            .bind(day)
            .bind(day.next_day_start())
            .bind(before_ns)
            .bind(remaining_row_budget(deleted));
        deleted += delete.execute(&mut *session).await?.rows_affected();
        if deleted >= MAX_ROWS {
            break;
        }
        for sql in [DELETE_EXPIRED_DAY, RAISE_OLDEST_OF_DAY] {
            let update = query(sql).bind(day).bind(before_ns);
            update.execute(&mut *session).await?;
        }
    }
    Ok(deleted)
}

/// Deletes expired sets of ids, if `already_deleted` leaves room for some.
async fn delete_id_sets(
    session: &mut PgConnection,
    bars_before_ns: i64,
    ids_before_ns: i64,
    already_deleted: u64,
) -> Result<u64, DatabaseError> {
    let mut sets = Vec::new();
    let before_ns = [ids_before_ns, bars_before_ns];
    for (sql, before_ns) in SELECT_EXPIRED_ID_SETS.into_iter().zip(before_ns) {
        let select = query(sql)
            .bind(before_ns)
            .bind(remaining_row_budget(already_deleted));
        sets.extend(select.fetch_all(&mut *session).await?);
    }
    let mut deleted = 0;
    for sets in sets.chunks(8) {
        if already_deleted + deleted >= MAX_ROWS {
            break;
        }
        let keys = sets.iter().map(|row: &PgRow| read_id_set_key(row));
        let keys = keys.collect::<Result<Vec<_>, DatabaseError>>()?;
        for sql in DELETE_ID_SETS {
            let columns = IdSetKeyColumns::from_keys(keys.iter());
            let delete = query(sql)
                .bind(columns.instruments)
                .bind(columns.scopes)
                .bind(columns.buckets_ns);
            deleted += delete.execute(&mut *session).await?.rows_affected();
        }
    }
    Ok(deleted)
}

/// Returns how many rows may still be deleted in this call.
fn remaining_row_budget(deleted: u64) -> i64 {
    i64::try_from(MAX_ROWS.saturating_sub(deleted)).expect("it is at most MAX_ROWS")
}
