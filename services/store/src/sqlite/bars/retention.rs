//! Deleting expired rows.

use std::sync::{Arc, LazyLock};

use market::Instrument;
use sqlx::{Row, SqliteConnection, query};

use super::id_sets::bind_id_set_key;
use crate::sqlite::column::read_parsed_text;
use crate::sqlite::database_error::DatabaseError;
use crate::sqlite::row_batches::BatchedStatement;
use crate::state::IdSetKey;

/// The approximate number of rows that one call deletes; a set of ids is deleted as a whole.
const MAX_ROWS: u64 = 10_000;

pub(super) const DELETE_BARS: &str = "DELETE FROM bars WHERE (instrument, interval, start_ns) IN \
    (SELECT instrument, interval, start_ns FROM bars WHERE first_append_ns < ? LIMIT ?)";
pub(super) const DELETE_OPEN_BARS: &str = "DELETE FROM open_bars WHERE (instrument, interval, start_ns) IN \
    (SELECT instrument, interval, start_ns FROM open_bars WHERE first_append_ns < ? LIMIT ?)";
pub(super) const DELETE_EXCLUDED_RANGES: &str = "DELETE FROM excluded_ranges \
    WHERE (partition, epoch, first_offset) IN \
    (SELECT partition, epoch, first_offset FROM excluded_ranges WHERE append_time_ns < ? LIMIT ?)";
pub(super) const DELETE_EXCLUDED_AMENDMENTS: &str = "DELETE FROM excluded_amendments \
    WHERE (partition, epoch, first_offset) IN \
    (SELECT partition, epoch, first_offset FROM excluded_amendments \
     WHERE append_time_ns < ? LIMIT ?)";
/// Unlike sets of ids, pending amendments expire even if their ids belong to no hour or day: an
/// edit or a cancel waits for its trade only for the horizon.
pub(super) const DELETE_PENDING_AMENDMENTS: &str = "DELETE FROM pending_amendments \
    WHERE (instrument, scope, bucket_ns, id) IN \
    (SELECT instrument, scope, bucket_ns, id FROM pending_amendments \
     WHERE append_time_ns < ? LIMIT ?)";
/// Two searches of one index: the sets that are kept longer are not read before they expire.
pub(super) const SELECT_EXPIRED_ID_SETS: &str = "SELECT instrument, scope, bucket_ns FROM id_sets \
    WHERE bucket_ns <> -1 AND is_of_amendments = 0 \
    AND last_append_hour <= ?1 / 3600000000000 AND last_append_ns < ?1 \
    UNION ALL SELECT instrument, scope, bucket_ns FROM id_sets \
    WHERE bucket_ns <> -1 AND is_of_amendments = 1 \
    AND last_append_hour <= ?2 / 3600000000000 AND last_append_ns < ?2 LIMIT ?3";

/// One statement for each table of ids. That of `id_sets` is the last.
pub(super) static DELETE_ID_SETS: LazyLock<[BatchedStatement; 3]> = LazyLock::new(|| {
    ["id_ranges", "id_chunks", "id_sets"].map(|table| {
        // Without the casts, SQLite would search by the first two columns only.
        let head = format!(
            "DELETE FROM {table} WHERE (instrument, scope, bucket_ns) IN \
             (SELECT CAST(column1 AS TEXT), CAST(column2 AS TEXT), CAST(column3 AS INTEGER) FROM ("
        );
        BatchedStatement::new(&head, 3, "))")
    })
});

/// Deletes expired rows, and returns the number of deleted rows.
pub(super) async fn delete_expired_batch(
    connection: &mut SqliteConnection,
    bars_before_ns: i64,
    ids_before_ns: i64,
    excluded_amendments_before_ns: i64,
) -> Result<u64, DatabaseError> {
    let mut deleted = 0;
    let deletes = [
        (DELETE_BARS, bars_before_ns),
        (DELETE_OPEN_BARS, bars_before_ns),
        (DELETE_EXCLUDED_RANGES, ids_before_ns),
        (DELETE_EXCLUDED_AMENDMENTS, excluded_amendments_before_ns),
        (DELETE_PENDING_AMENDMENTS, ids_before_ns),
    ];
    for (sql, before_ns) in deletes {
        let statement = query(sql)
            .bind(before_ns)
            .bind(remaining_row_budget(deleted));
        deleted += statement.execute(&mut *connection).await?.rows_affected();
    }
    let sets = query(SELECT_EXPIRED_ID_SETS)
        .bind(ids_before_ns)
        .bind(bars_before_ns)
        .bind(remaining_row_budget(deleted));
    let sets = sets.fetch_all(&mut *connection).await?;
    for sets in sets.chunks(8) {
        if deleted >= MAX_ROWS {
            break;
        }
        let keys = sets.iter().map(|row| {
            let instrument: Instrument = read_parsed_text(row, 0, "instrument")?;
            let scope: &str = row.try_get(1)?;
            Ok(IdSetKey {
                instrument,
                scope: Arc::from(scope),
                bucket_ns: row.try_get(2)?,
            })
        });
        let keys = keys.collect::<Result<Vec<_>, DatabaseError>>()?;
        for table in DELETE_ID_SETS.iter() {
            deleted += table.run(connection, &keys, bind_id_set_key).await?;
        }
    }
    Ok(deleted)
}

fn remaining_row_budget(deleted: u64) -> i64 {
    i64::try_from(MAX_ROWS.saturating_sub(deleted)).expect("at most MAX_ROWS")
}
