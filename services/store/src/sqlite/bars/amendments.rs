//! The tables `dirty_minutes` and `pending_amendments`.

use std::sync::{Arc, LazyLock};

use market::{Position, TradeId};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection, query};

use super::id_sets::bind_id_set_key;
use crate::last_rows::last_row_of_each_key;
use crate::sqlite::column::{read_ordered_u64, read_parsed_text, u64_as_ordered_column};
use crate::sqlite::database_error::DatabaseError;
use crate::sqlite::row_batches::BatchedStatement;
use crate::state::{
    DirtyMinuteRow, IdSetKey, PartitionTransaction, PendingAmendmentRow, RefoldMark,
};

pub(super) static UPSERT_DIRTY_MINUTES: LazyLock<BatchedStatement> = LazyLock::new(|| {
    BatchedStatement::new(
        "INSERT OR REPLACE INTO dirty_minutes \
         (partition, instrument, start_ns, up_to_epoch, up_to_offset, amendments, force, \
          later_bar)",
        8,
        "",
    )
});

pub(super) static DELETE_DIRTY_MINUTES: LazyLock<BatchedStatement> = LazyLock::new(|| {
    BatchedStatement::new(
        "DELETE FROM dirty_minutes WHERE (partition, instrument, start_ns) IN \
         (SELECT CAST(column1 AS INTEGER), CAST(column2 AS TEXT), CAST(column3 AS INTEGER) FROM (",
        3,
        "))",
    )
});

pub(super) static UPSERT_PENDING_AMENDMENTS: LazyLock<BatchedStatement> = LazyLock::new(|| {
    BatchedStatement::new(
        "INSERT OR REPLACE INTO pending_amendments \
         (instrument, scope, bucket_ns, id, partition, append_time_ns)",
        6,
        "",
    )
});

pub(super) const SELECT_DIRTY_MINUTES: &str = "SELECT instrument, start_ns, up_to_epoch, \
    up_to_offset, amendments, force, later_bar FROM dirty_minutes WHERE partition = ? \
    ORDER BY instrument, start_ns";

const SELECT_PENDING_AMENDMENTS: &str = "SELECT instrument, scope, bucket_ns, id, append_time_ns \
    FROM pending_amendments WHERE partition = ? ORDER BY instrument, scope, bucket_ns, id";

/// Writes the rows of a transaction to both tables.
pub(super) async fn write_dirty_minutes_and_pending_amendments(
    connection: &mut SqliteConnection,
    transaction: &PartitionTransaction,
) -> Result<(), DatabaseError> {
    let partition = transaction.progress.partition;
    let (mut upserted, mut removed) = (Vec::new(), Vec::new());
    let changes = last_row_of_each_key(&transaction.dirty_minutes, |change| {
        (change.instrument.key(), change.start_ns)
    });
    for change in changes {
        match &change.mark {
            Some(mark) => upserted.push((change, mark)),
            None => removed.push(change),
        }
    }
    UPSERT_DIRTY_MINUTES
        .run(connection, &upserted, |bound, (change, mark)| {
            bound
                .bind(partition)
                .bind(change.instrument.key().to_owned())
                .bind(change.start_ns)
                .bind(u64_as_ordered_column(mark.up_to.epoch))
                .bind(u64_as_ordered_column(mark.up_to.offset))
                .bind(u64_as_ordered_column(mark.amendments))
                .bind(mark.force)
                .bind(mark.later_bar.as_ref().map(schemas::encode_bar))
        })
        .await?;
    DELETE_DIRTY_MINUTES
        .run(connection, &removed, |bound, change| {
            bound
                .bind(partition)
                .bind(change.instrument.key().to_owned())
                .bind(change.start_ns)
        })
        .await?;
    UPSERT_PENDING_AMENDMENTS
        .run(connection, &transaction.pending_amendments, |bound, row| {
            bind_id_set_key(bound, &row.key)
                .bind(row.id.to_string())
                .bind(partition)
                .bind(row.append_time_ns)
        })
        .await?;
    Ok(())
}

/// Reads a row of [`SELECT_DIRTY_MINUTES`].
pub(super) fn read_dirty_minute(row: &SqliteRow) -> Result<DirtyMinuteRow, DatabaseError> {
    let (force, later): (i64, Option<&[u8]>) = (row.try_get(5)?, row.try_get(6)?);
    Ok(DirtyMinuteRow {
        instrument: read_parsed_text(row, 0, "instrument")?,
        start_ns: row.try_get(1)?,
        mark: RefoldMark {
            up_to: Position {
                epoch: read_ordered_u64(row, 2)?,
                offset: read_ordered_u64(row, 3)?,
            },
            amendments: read_ordered_u64(row, 4)?,
            force: force != 0,
            later_bar: later.map(schemas::decode_bar).transpose()?,
        },
    })
}

/// Returns the pending amendments of a partition.
pub(super) async fn read_pending_amendments(
    connection: &mut SqliteConnection,
    partition: u32,
) -> Result<Vec<PendingAmendmentRow>, DatabaseError> {
    let rows = query(SELECT_PENDING_AMENDMENTS)
        .bind(partition)
        .fetch_all(connection)
        .await?;
    let row = |row: &SqliteRow| {
        let (scope, id): (&str, &str) = (row.try_get(1)?, row.try_get(3)?);
        Ok(PendingAmendmentRow {
            key: IdSetKey {
                instrument: read_parsed_text(row, 0, "instrument")?,
                scope: Arc::from(scope),
                bucket_ns: row.try_get(2)?,
            },
            id: TradeId::parse(id).map_err(|error| DatabaseError::malformed_value("id", error))?,
            append_time_ns: row.try_get(4)?,
        })
    };
    rows.iter().map(row).collect()
}
