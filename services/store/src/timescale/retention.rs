//! Deleting expired rows other than closed bars, a bounded number in each call.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, query};

use super::database_error::DatabaseError;
use super::id_set_key::{IdSetKeyColumns, read_id_set_key};

/// About how many rows one call deletes. Sets of ids and chunks are deleted whole.
pub(super) const MAX_ROWS: u64 = 10_000;

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

/// Deletes expired rows other than closed bars, and returns how many. `already_deleted` rows count
/// towards the limit of the call. Must be called inside a transaction.
pub(super) async fn delete_expired_rows_except_closed_bars(
    session: &mut PgConnection,
    bars_before_ns: i64,
    ids_before_ns: i64,
    excluded_amendments_before_ns: i64,
    already_deleted: u64,
) -> Result<u64, DatabaseError> {
    let mut deleted = already_deleted;
    let statements = [
        (DELETE_OPEN_BARS, bars_before_ns),
        (DELETE_EXCLUDED_RANGES, ids_before_ns),
        (DELETE_EXCLUDED_AMENDMENTS, excluded_amendments_before_ns),
        (DELETE_PENDING_AMENDMENTS, ids_before_ns),
    ];
    for (sql, before_ns) in statements {
        let delete = query(sql)
            .bind(before_ns)
            .bind(remaining_row_budget(deleted));
        deleted += delete.execute(&mut *session).await?.rows_affected();
    }
    deleted += delete_expired_id_sets(session, bars_before_ns, ids_before_ns, deleted).await?;
    Ok(deleted - already_deleted)
}

/// Deletes expired sets of ids, if `already_deleted` leaves room for some.
async fn delete_expired_id_sets(
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
pub(super) fn remaining_row_budget(deleted: u64) -> i64 {
    i64::try_from(MAX_ROWS.saturating_sub(deleted)).expect("it is at most MAX_ROWS")
}
