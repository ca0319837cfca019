//! Dropping what is too old.

use std::sync::{Arc, LazyLock};

use market::Instrument;
use sqlx::{Row, SqliteConnection, query};

use super::commit::bind_key;
use crate::IdSetKey;
use crate::sqlite::bulk::Bulk;
use crate::sqlite::column::read_parsed;
use crate::sqlite::failure::Failure;

/// How many rows go in one call, about: a set of ids goes whole.
const ROWS: u64 = 10_000;

pub(super) const BARS: &str = "DELETE FROM bars WHERE (instrument, interval, start_ns) IN \
    (SELECT instrument, interval, start_ns FROM bars WHERE first_append_ns < ? LIMIT ?)";
pub(super) const OPEN_BARS: &str = "DELETE FROM open_bars WHERE (instrument, interval, start_ns) IN \
    (SELECT instrument, interval, start_ns FROM open_bars WHERE first_append_ns < ? LIMIT ?)";
pub(super) const EXCLUDED_RANGES: &str = "DELETE FROM excluded_ranges \
    WHERE (partition, epoch, first_offset) IN \
    (SELECT partition, epoch, first_offset FROM excluded_ranges WHERE append_time_ns < ? LIMIT ?)";
/// Those of ids that belong to no hour or day too, unlike sets of such ids: an edit or a cancel
/// waits for its trade for the horizon only.
pub(super) const PENDING_AMENDMENTS: &str = "DELETE FROM pending_amendments \
    WHERE (instrument, scope, bucket_ns, id) IN \
    (SELECT instrument, scope, bucket_ns, id FROM pending_amendments \
     WHERE append_time_ns < ? LIMIT ?)";
const OLD_SETS: &str = "SELECT instrument, scope, bucket_ns FROM id_sets \
    WHERE bucket_ns <> -1 AND last_append_ns < ? LIMIT ?";

/// The tables of ids; the last names the set.
pub(super) static IDS: LazyLock<[Bulk; 3]> = LazyLock::new(|| {
    ["id_ranges", "id_chunks", "id_sets"].map(|table| {
        // Without the types of the columns, SQLite would search by the first two alone.
        let head = format!(
            "DELETE FROM {table} WHERE (instrument, scope, bucket_ns) IN \
             (SELECT CAST(column1 AS TEXT), CAST(column2 AS TEXT), CAST(column3 AS INTEGER) FROM ("
        );
        Bulk::new(&head, 3, "))")
    })
});

/// Drops what is too old, and answers how many rows went.
pub(super) async fn expire(
    connection: &mut SqliteConnection,
    bars_before_ns: i64,
    ids_before_ns: i64,
) -> Result<u64, Failure> {
    let mut gone = 0;
    let bounded = [
        (BARS, bars_before_ns),
        (OPEN_BARS, bars_before_ns),
        (EXCLUDED_RANGES, ids_before_ns),
        (PENDING_AMENDMENTS, ids_before_ns),
    ];
    for (sql, before_ns) in bounded {
        let dropping = query(sql).bind(before_ns).bind(limit(gone));
        gone += dropping.execute(&mut *connection).await?.rows_affected();
    }
    let sets = query(OLD_SETS).bind(ids_before_ns).bind(limit(gone));
    let sets = sets.fetch_all(&mut *connection).await?;
    for sets in sets.chunks(8) {
        if gone >= ROWS {
            break;
        }
        let keys = sets.iter().map(|row| {
            let instrument: Instrument = read_parsed(row, 0, "instrument")?;
            let scope: &str = row.try_get(1)?;
            Ok(IdSetKey {
                instrument,
                scope: Arc::from(scope),
                bucket_ns: row.try_get(2)?,
            })
        });
        let keys = keys.collect::<Result<Vec<_>, Failure>>()?;
        for table in IDS.iter() {
            gone += table.run(connection, &keys, bind_key).await?;
        }
    }
    Ok(gone)
}

fn limit(gone: u64) -> i64 {
    i64::try_from(ROWS.saturating_sub(gone)).expect("it is small")
}
