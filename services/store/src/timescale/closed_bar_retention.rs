//! Deleting expired closed bars: whole chunks if everything in them has expired, otherwise rows, a
//! bounded number in each call.
//!
//! The retention policies of TimescaleDB do not fit. They go by the event time of a chunk or by the
//! time of its creation. A tape of 2013 is old by the first, and a second tape of that year is old
//! by the second, on the day on which it is read.

use sqlx::{AssertSqlSafe, PgConnection, Row, query, query_scalar};

use super::chunk_span::BarStartRange;
use super::chunk_tables::{ChunkLockPolicy, tables_of_chunks};
use super::database_error::DatabaseError;
use super::edition::TimescaleEdition;
use super::retention::{MAX_ROWS, remaining_row_budget};
use super::timestamptz::Timestamptz;

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

/// Selects the number and the greatest append time of the rows of a chunk, and of the rows of
/// `scattered_bars` that lie between its bounds.
const SELECT_CHUNK_CONTENT: &str = "SELECT count(*), max(first_append_ns) FROM ( \
    SELECT first_append_ns FROM bars WHERE start >= $1 AND start < $2 UNION ALL \
    SELECT first_append_ns FROM scattered_bars WHERE start >= $1 AND start < $2) AS content";

/// Adds the days of bars that no commit wrote, such as those of a restored table.
const ADD_MISSING_BAR_DAYS: &str = "INSERT INTO bar_days \
    (partition, day, oldest_append_ns, newest_append_ns) \
    SELECT 0, date_trunc('day', start, 'UTC'), min(first_append_ns), max(first_append_ns) FROM ( \
    SELECT start, first_append_ns FROM bars WHERE start >= $1 AND start < $2 UNION ALL \
    SELECT start, first_append_ns FROM scattered_bars WHERE start >= $1 AND start < $2) AS content \
    GROUP BY 2 \
    ON CONFLICT (partition, day) DO UPDATE SET \
    oldest_append_ns = least(bar_days.oldest_append_ns, excluded.oldest_append_ns), \
    newest_append_ns = greatest(bar_days.newest_append_ns, excluded.newest_append_ns)";

const SELECT_DAY_WITH_EXPIRED_BARS: &str =
    "SELECT day FROM bar_days WHERE oldest_append_ns < $1 ORDER BY day LIMIT 1";

const LOCK_DAY: &str = "SELECT 1 FROM bar_days WHERE day = $1 ORDER BY partition FOR UPDATE";

/// Selects whether any closed bar of a day has expired.
const HAS_EXPIRED_BARS_OF_DAY: &str = "SELECT EXISTS (SELECT 1 FROM bars \
    WHERE start >= $1 AND start < $2 AND first_append_ns < $3) OR EXISTS ( \
    SELECT 1 FROM scattered_bars WHERE start >= $1 AND start < $2 AND first_append_ns < $3)";

/// Deletes rows of a day from a table of closed bars. `$TABLE` stands for it.
const DELETE_BARS_OF_DAY: &str = "DELETE FROM $TABLE \
    WHERE (venue, symbol, interval_s, start) IN \
    (SELECT venue, symbol, interval_s, start FROM $TABLE \
     WHERE start >= $1 AND start < $2 AND first_append_ns < $3 LIMIT $4) \
    AND start >= $1 AND start < $2";

/// Deletes the rows of a day from a table of closed bars, in whose place rows of `scattered_bars`
/// count. Otherwise they would count again once the latter are deleted.
const DELETE_REPLACED_BARS_OF_DAY: &str = "DELETE FROM $TABLE AS b USING scattered_bars AS a \
    WHERE a.start >= $1 AND a.start < $2 AND b.start >= $1 AND b.start < $2 \
    AND b.venue = a.venue AND b.symbol = a.symbol AND b.interval_s = a.interval_s \
    AND b.start = a.start";

const DELETE_EXPIRED_DAY: &str = "DELETE FROM bar_days WHERE day = $1 AND newest_append_ns < $2";

const RAISE_OLDEST_OF_DAY: &str =
    "UPDATE bar_days SET oldest_append_ns = $2 WHERE day = $1 AND oldest_append_ns < $2";

/// Drops one chunk that holds only expired bars, and returns how many rows it held; `None` if no
/// chunk seems to hold only such. Must be called inside a transaction.
pub(super) async fn drop_expired_chunk_and_count_rows(
    session: &mut PgConnection,
    bars_before_ns: i64,
) -> Result<Option<u64>, DatabaseError> {
    let chunk = query(SELECT_EXPIRED_CHUNK).bind(bars_before_ns);
    let Some(chunk) = chunk.fetch_optional(&mut *session).await? else {
        return Ok(None);
    };
    let (start, end): (Timestamptz, Timestamptz) = (chunk.try_get(0)?, chunk.try_get(1)?);
    query(LOCK_BAR_DAYS).execute(&mut *session).await?;
    let content = query(SELECT_CHUNK_CONTENT).bind(start).bind(end);
    let content = content.fetch_one(&mut *session).await?;
    let (rows, newest_ns): (i64, Option<i64>) = (content.try_get(0)?, content.try_get(1)?);
    if newest_ns.is_some_and(|newest_ns| newest_ns >= bars_before_ns) {
        let add_days = query(ADD_MISSING_BAR_DAYS).bind(start).bind(end);
        add_days.execute(session).await?;
        return Ok(Some(0));
    }
    query("SELECT drop_chunks('bars', older_than => $2, newer_than => $1)")
        .bind(start)
        .bind(end)
        .fetch_all(&mut *session)
        .await?;
    for sql in [
        "DELETE FROM scattered_bars WHERE start >= $1 AND start < $2",
        "DELETE FROM bar_days WHERE day >= $1 AND day < $2",
    ] {
        let delete = query(sql).bind(start).bind(end);
        delete.execute(&mut *session).await?;
    }
    Ok(Some(rows.unsigned_abs()))
}

/// How many closed bars a transaction has deleted.
pub(super) struct ClosedBarDeletionOutcome {
    pub(super) rows: u64,
    /// Whether days with expired bars may be left.
    pub(super) has_more: bool,
}

/// Deletes expired closed bars day by day, so that only chunks that hold some are read. Goes
/// through as many days as a commit may write chunks: each may be in a chunk of its own. Must be
/// called inside a transaction.
pub(super) async fn delete_expired_closed_bar_batch(
    session: &mut PgConnection,
    before_ns: i64,
    policy: ChunkLockPolicy,
) -> Result<ClosedBarDeletionOutcome, DatabaseError> {
    let mut deleted = ClosedBarDeletionOutcome {
        rows: 0,
        has_more: true,
    };
    for _ in 0..policy.max_chunks {
        let day: Option<Timestamptz> = query_scalar(SELECT_DAY_WITH_EXPIRED_BARS)
            .bind(before_ns)
            .fetch_optional(&mut *session)
            .await?;
        let Some(day) = day else {
            deleted.has_more = false;
            break;
        };
        let budget = remaining_row_budget(deleted.rows);
        let delete =
            delete_expired_closed_bars_of_day(session, day, before_ns, budget, policy.edition);
        deleted.rows += delete.await?;
        if deleted.rows >= MAX_ROWS {
            break;
        }
        for sql in [DELETE_EXPIRED_DAY, RAISE_OLDEST_OF_DAY] {
            let update = query(sql).bind(day).bind(before_ns);
            update.execute(&mut *session).await?;
        }
    }
    Ok(deleted)
}

/// Deletes expired closed bars of a day, at most `max_rows`, and returns how many.
async fn delete_expired_closed_bars_of_day(
    session: &mut PgConnection,
    day: Timestamptz,
    before_ns: i64,
    max_rows: i64,
    edition: TimescaleEdition,
) -> Result<u64, DatabaseError> {
    query(LOCK_DAY).bind(day).fetch_all(&mut *session).await?;
    let range = BarStartRange {
        first: day,
        end: day.next_day_start(),
    };
    let has_expired = query_scalar(HAS_EXPIRED_BARS_OF_DAY)
        .bind(range.first)
        .bind(range.end)
        .bind(before_ns);
    let has_expired: bool = has_expired.fetch_one(&mut *session).await?;
    if !has_expired {
        return Ok(0);
    }
    let mut tables = tables_of_chunks(session, range, edition).await?;
    for table in &tables {
        let sql = DELETE_REPLACED_BARS_OF_DAY.replace("$TABLE", table);
        let delete = query(AssertSqlSafe(sql)).bind(range.first).bind(range.end);
        delete.persistent(false).execute(&mut *session).await?;
    }
    tables.push("scattered_bars".to_owned());
    let mut deleted = 0;
    for table in &tables {
        let sql = DELETE_BARS_OF_DAY.replace("$TABLE", table);
        let delete = query(AssertSqlSafe(sql))
            .bind(range.first)
            .bind(range.end)
            .bind(before_ns)
            .bind(max_rows.saturating_sub_unsigned(deleted).max(0));
        let delete = delete.persistent(false).execute(&mut *session);
        deleted += delete.await?.rows_affected();
    }
    Ok(deleted)
}
