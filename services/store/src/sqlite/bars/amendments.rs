//! Marks of minutes that are to be folded anew, and trades that were amended before they came.

use std::sync::{Arc, LazyLock};

use market::{Position, TradeId};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection, query};

use super::commit::bind_key;
use crate::sqlite::bulk::Bulk;
use crate::sqlite::column::{read_parsed, read_unsigned, unsigned};
use crate::sqlite::failure::Failure;
use crate::{DirtyMinuteRow, IdSetKey, PendingAmendmentRow, RefoldMark, Transaction};

pub(super) static UPSERTED_DIRTY_MINUTES: LazyLock<Bulk> = LazyLock::new(|| {
    Bulk::new(
        "INSERT OR REPLACE INTO dirty_minutes \
         (partition, instrument, start_ns, up_to_epoch, up_to_offset, amendments, later_bar)",
        7,
        "",
    )
});

pub(super) static REMOVED_DIRTY_MINUTES: LazyLock<Bulk> = LazyLock::new(|| {
    Bulk::new(
        "DELETE FROM dirty_minutes WHERE (partition, instrument, start_ns) IN \
         (SELECT CAST(column1 AS INTEGER), CAST(column2 AS TEXT), CAST(column3 AS INTEGER) FROM (",
        3,
        "))",
    )
});

pub(super) static UPSERTED_PENDING_AMENDMENTS: LazyLock<Bulk> = LazyLock::new(|| {
    Bulk::new(
        "INSERT OR REPLACE INTO pending_amendments \
         (instrument, scope, bucket_ns, id, partition, append_time_ns)",
        6,
        "",
    )
});

/// instrument, `start_ns`, `up_to_epoch`, `up_to_offset`, amendments, later.
pub(super) const DIRTY_MINUTES: &str = "SELECT instrument, start_ns, up_to_epoch, up_to_offset, \
    amendments, later_bar FROM dirty_minutes WHERE partition = ? ORDER BY instrument, start_ns";

/// instrument, scope, `bucket_ns`, id, `append_time_ns`.
const PENDING_AMENDMENTS_OF_PARTITION: &str = "SELECT instrument, scope, bucket_ns, id, append_time_ns \
    FROM pending_amendments WHERE partition = ? ORDER BY instrument, scope, bucket_ns, id";

/// Writes what a step changes of both.
pub(super) async fn write(
    connection: &mut SqliteConnection,
    transaction: &Transaction,
) -> Result<(), Failure> {
    let partition = transaction.progress.partition;
    let (mut put, mut gone) = (Vec::new(), Vec::new());
    for change in &transaction.dirty_minutes {
        match &change.mark {
            Some(mark) => put.push((change, mark)),
            None => gone.push(change),
        }
    }
    UPSERTED_DIRTY_MINUTES
        .run(connection, &put, |bound, (change, mark)| {
            bound
                .bind(partition)
                .bind(change.instrument.key().to_owned())
                .bind(change.start_ns)
                .bind(unsigned(mark.up_to.epoch))
                .bind(unsigned(mark.up_to.offset))
                .bind(unsigned(mark.amendments))
                .bind(mark.later_bar.as_ref().map(schemas::encode_bar))
        })
        .await?;
    REMOVED_DIRTY_MINUTES
        .run(connection, &gone, |bound, change| {
            bound
                .bind(partition)
                .bind(change.instrument.key().to_owned())
                .bind(change.start_ns)
        })
        .await?;
    UPSERTED_PENDING_AMENDMENTS
        .run(connection, &transaction.pending_amendments, |bound, row| {
            bind_key(bound, &row.key)
                .bind(row.id.to_string())
                .bind(partition)
                .bind(row.append_time_ns)
        })
        .await?;
    Ok(())
}

/// A row of [`DIRTY_MINUTES`].
pub(super) fn read_dirty_minute(row: &SqliteRow) -> Result<DirtyMinuteRow, Failure> {
    let later: Option<&[u8]> = row.try_get(5)?;
    Ok(DirtyMinuteRow {
        instrument: read_parsed(row, 0, "instrument")?,
        start_ns: row.try_get(1)?,
        mark: RefoldMark {
            up_to: Position {
                epoch: read_unsigned(row, 2)?,
                offset: read_unsigned(row, 3)?,
            },
            amendments: read_unsigned(row, 4)?,
            later_bar: later.map(schemas::decode_bar).transpose()?,
        },
    })
}

/// Every trade of a partition that was amended before it came.
pub(super) async fn read_pending_amendments(
    connection: &mut SqliteConnection,
    partition: u32,
) -> Result<Vec<PendingAmendmentRow>, Failure> {
    let rows = query(PENDING_AMENDMENTS_OF_PARTITION)
        .bind(partition)
        .fetch_all(connection)
        .await?;
    let row = |row: &SqliteRow| {
        let (scope, id): (&str, &str) = (row.try_get(1)?, row.try_get(3)?);
        Ok(PendingAmendmentRow {
            key: IdSetKey {
                instrument: read_parsed(row, 0, "instrument")?,
                scope: Arc::from(scope),
                bucket_ns: row.try_get(2)?,
            },
            id: TradeId::parse(id).map_err(|error| Failure::malformed("id", error))?,
            append_time_ns: row.try_get(4)?,
        })
    };
    rows.iter().map(row).collect()
}
