//! Dropping what is too old: whole chunks where nothing in them is young, else rows, a bounded
//! number a call.
//!
//! Not the policies of TimescaleDB, which go by the event time of a chunk or by when it was
//! made: a tape of 2013 is old by the one, and a second tape of that year by the other, on the
//! day they are read.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row, query, query_scalar};

use super::column::Instant;
use super::failure::Failure;
use super::ids::{Keys, read_key};

/// How many rows go in one call, about: a set of ids goes whole, and so does a chunk.
const ROWS: u64 = 10_000;

/// A chunk whose days hold nothing young.
const OLD_CHUNK: &str = "SELECT c.range_start, c.range_end \
    FROM timescaledb_information.chunks AS c \
    WHERE c.hypertable_schema = current_schema() AND c.hypertable_name = 'bars' \
    AND NOT EXISTS (SELECT 1 FROM bar_days AS d WHERE d.day >= c.range_start \
                    AND d.day < c.range_end AND d.newest_append_ns >= $1) \
    ORDER BY c.range_start LIMIT 1";

/// Whoever writes closed bars has noted their day before: it comes before this, and is seen by
/// the next statement, or waits.
const LOCK_DAYS: &str = "LOCK TABLE bar_days IN SHARE ROW EXCLUSIVE MODE";

/// What a chunk holds, as its rows say.
const HELD: &str =
    "SELECT count(*), max(first_append_ns) FROM bars WHERE start >= $1 AND start < $2";

/// Bars that came by another way than a commit, such as a restored table, are noted late.
const NOTE_DAYS: &str = "INSERT INTO bar_days (partition, day, oldest_append_ns, newest_append_ns) \
    SELECT 0, date_trunc('day', start, 'UTC'), min(first_append_ns), max(first_append_ns) \
    FROM bars WHERE start >= $1 AND start < $2 GROUP BY 2 \
    ON CONFLICT (partition, day) DO UPDATE SET \
    oldest_append_ns = least(bar_days.oldest_append_ns, excluded.oldest_append_ns), \
    newest_append_ns = greatest(bar_days.newest_append_ns, excluded.newest_append_ns)";

const OLD_DAY: &str = "SELECT day FROM bar_days WHERE oldest_append_ns < $1 ORDER BY day LIMIT 1";

const LOCK_DAY: &str = "SELECT 1 FROM bar_days WHERE day = $1 ORDER BY partition FOR UPDATE";

const BARS: &str = "DELETE FROM bars WHERE (venue, symbol, interval_s, start) IN \
    (SELECT venue, symbol, interval_s, start FROM bars \
     WHERE start >= $1 AND start < $2 AND first_append_ns < $3 LIMIT $4) \
    AND start >= $1 AND start < $2";

const OPEN_BARS: &str = "DELETE FROM open_bars WHERE (venue, symbol, interval_s, start) IN \
    (SELECT venue, symbol, interval_s, start FROM open_bars WHERE first_append_ns < $1 LIMIT $2 \
     FOR UPDATE SKIP LOCKED)";
const REJECTED: &str = "DELETE FROM excluded_ranges WHERE (partition, epoch, first_offset) IN \
    (SELECT partition, epoch, first_offset FROM excluded_ranges WHERE append_time_ns < $1 LIMIT $2 \
     FOR UPDATE SKIP LOCKED)";
/// Those of ids that belong to no hour or day too, unlike sets of such ids: an edit or a cancel
/// waits for its trade for the horizon only.
const AHEAD: &str = "DELETE FROM pending_amendments WHERE (instrument, scope, bucket_ns, id) IN \
    (SELECT instrument, scope, bucket_ns, id FROM pending_amendments \
     WHERE append_time_ns < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)";
const OLD_SETS: &str = "SELECT instrument, scope, bucket_ns FROM id_sets \
    WHERE bucket_ns <> -1 AND last_append_ns < $1 LIMIT $2 FOR UPDATE SKIP LOCKED";

/// The tables of ids; the last names the set.
const IDS: [&str; 3] = [
    "DELETE FROM id_ranges AS t USING unnest($1, $2, $3) AS gone (instrument, scope, bucket_ns) \
     WHERE t.instrument = gone.instrument AND t.scope = gone.scope \
     AND t.bucket_ns = gone.bucket_ns",
    "DELETE FROM id_chunks AS t USING unnest($1, $2, $3) AS gone (instrument, scope, bucket_ns) \
     WHERE t.instrument = gone.instrument AND t.scope = gone.scope \
     AND t.bucket_ns = gone.bucket_ns",
    "DELETE FROM id_sets AS t USING unnest($1, $2, $3) AS gone (instrument, scope, bucket_ns) \
     WHERE t.instrument = gone.instrument AND t.scope = gone.scope \
     AND t.bucket_ns = gone.bucket_ns",
];

/// Drops one chunk that holds nothing young, and answers how many rows it held; inside a
/// transaction.
pub(super) async fn drop_chunk(
    session: &mut PgConnection,
    bars_before_ns: i64,
) -> Result<u64, Failure> {
    let chunk = query(OLD_CHUNK).bind(bars_before_ns);
    let Some(chunk) = chunk.fetch_optional(&mut *session).await? else {
        return Ok(0);
    };
    let (start, end): (Instant, Instant) = (chunk.try_get(0)?, chunk.try_get(1)?);
    query(LOCK_DAYS).execute(&mut *session).await?;
    let found = query(HELD).bind(start).bind(end).fetch_one(&mut *session);
    let found = found.await?;
    let (held, newest_ns): (i64, Option<i64>) = (found.try_get(0)?, found.try_get(1)?);
    if newest_ns.is_some_and(|newest_ns| newest_ns >= bars_before_ns) {
        let noted = query(NOTE_DAYS).bind(start).bind(end);
        noted.execute(session).await?;
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
    Ok(held.unsigned_abs())
}

/// Drops rows that are too old, and answers how many went; inside a transaction. Closed bars are
/// left for another `slack_ns`, in which their chunk may go.
pub(super) async fn expire(
    session: &mut PgConnection,
    bars_before_ns: i64,
    slack_ns: i64,
    ids_before_ns: i64,
) -> Result<u64, Failure> {
    let mut gone = expire_bars(session, bars_before_ns.saturating_sub(slack_ns)).await?;
    let bounded = [
        (OPEN_BARS, bars_before_ns),
        (REJECTED, ids_before_ns),
        (AHEAD, ids_before_ns),
    ];
    for (sql, before_ns) in bounded {
        let dropping = query(sql).bind(before_ns).bind(limit(gone));
        gone += dropping.execute(&mut *session).await?.rows_affected();
    }
    gone += expire_ids(session, ids_before_ns, gone).await?;
    Ok(gone)
}

/// Day by day, so that no chunk is read that holds nothing old.
async fn expire_bars(session: &mut PgConnection, before_ns: i64) -> Result<u64, Failure> {
    let mut gone = 0;
    while gone < ROWS {
        let old: Option<Instant> = query_scalar(OLD_DAY)
            .bind(before_ns)
            .fetch_optional(&mut *session)
            .await?;
        let Some(day) = old else { break };
        query(LOCK_DAY).bind(day).fetch_all(&mut *session).await?;
        let dropping = query(BARS)
            .bind(day)
            .bind(day.next_day())
            .bind(before_ns)
            .bind(limit(gone));
        gone += dropping.execute(&mut *session).await?.rows_affected();
        if gone >= ROWS {
            break;
        }
        let emptied = query("DELETE FROM bar_days WHERE day = $1 AND newest_append_ns < $2");
        emptied
            .bind(day)
            .bind(before_ns)
            .execute(&mut *session)
            .await?;
        let raised = query(
            "UPDATE bar_days SET oldest_append_ns = $2 WHERE day = $1 AND oldest_append_ns < $2",
        );
        raised
            .bind(day)
            .bind(before_ns)
            .execute(&mut *session)
            .await?;
    }
    Ok(gone)
}

async fn expire_ids(
    session: &mut PgConnection,
    before_ns: i64,
    already: u64,
) -> Result<u64, Failure> {
    let sets = query(OLD_SETS).bind(before_ns).bind(limit(already));
    let sets = sets.fetch_all(&mut *session).await?;
    let mut gone = 0;
    for sets in sets.chunks(8) {
        if already + gone >= ROWS {
            break;
        }
        let keys = sets.iter().map(|row: &PgRow| read_key(row));
        let keys = keys.collect::<Result<Vec<_>, Failure>>()?;
        for sql in IDS {
            let keys = Keys::of(keys.iter());
            let dropping = query(sql)
                .bind(keys.instruments)
                .bind(keys.scopes)
                .bind(keys.buckets_ns);
            gone += dropping.execute(&mut *session).await?.rows_affected();
        }
    }
    Ok(gone)
}

fn limit(gone: u64) -> i64 {
    i64::try_from(ROWS.saturating_sub(gone)).expect("it is small")
}
