//! The tables `dirty_minutes` and `pending_amendments`.

use market::Position;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row, query};

use super::column::{
    column_for_unnest, partition_as_integer, read_bigint_bits_as_u64, read_parsed_text,
    u64_bits_as_bigint,
};
use super::database_error::DatabaseError;
use super::id_set_key::{IdSetKeyColumns, parse_trade_id, read_id_set_key};
use crate::last_rows::last_row_of_each_key;
use crate::{DirtyMinuteRow, PartitionTransaction, PendingAmendmentRow, RefoldMark};

const UPSERT_DIRTY_MINUTES: &str = "INSERT INTO dirty_minutes \
    (partition, instrument, start_ns, up_to_epoch, up_to_offset, amendments, force, later_bar) \
    SELECT $1, * FROM unnest($2, $3, $4, $5, $6, $7, $8) \
    ON CONFLICT (partition, instrument, start_ns) DO UPDATE SET \
    up_to_epoch = excluded.up_to_epoch, up_to_offset = excluded.up_to_offset, \
    amendments = excluded.amendments, force = excluded.force, later_bar = excluded.later_bar";

const DELETE_DIRTY_MINUTES: &str = "DELETE FROM dirty_minutes AS d \
    USING unnest($2, $3) AS refolded (instrument, start_ns) WHERE d.partition = $1 \
    AND d.instrument = refolded.instrument AND d.start_ns = refolded.start_ns";

const UPSERT_PENDING_AMENDMENTS: &str = "INSERT INTO pending_amendments \
    (partition, instrument, scope, bucket_ns, id, append_time_ns) \
    SELECT $1, * FROM unnest($2, $3, $4, $5, $6) \
    ON CONFLICT (instrument, scope, bucket_ns, id) DO UPDATE SET \
    partition = excluded.partition, append_time_ns = excluded.append_time_ns";

/// Selects instrument, `start_ns`, `up_to_epoch`, `up_to_offset`, amendments, force, `later_bar` of
/// a partition.
pub(super) const SELECT_DIRTY_MINUTES: &str = "SELECT instrument, start_ns, up_to_epoch, up_to_offset, amendments, force, later_bar \
    FROM dirty_minutes WHERE partition = $1 ORDER BY instrument, start_ns";

/// Selects instrument, scope, `bucket_ns`, id, `append_time_ns` of a partition.
pub(super) const SELECT_PENDING_AMENDMENTS: &str = "SELECT instrument, scope, bucket_ns, id, append_time_ns FROM pending_amendments \
    WHERE partition = $1 ORDER BY instrument, scope, bucket_ns, id";

/// Inserts, updates and deletes the refold marks that a transaction changes.
pub(super) async fn write_dirty_minute_changes(
    session: &mut PgConnection,
    transaction: &PartitionTransaction,
) -> Result<(), DatabaseError> {
    let partition = partition_as_integer(transaction.progress.partition)?;
    let (mut marked, mut refolded) = (Vec::new(), Vec::new());
    let changes = last_row_of_each_key(&transaction.dirty_minutes, |change| {
        (change.instrument.key(), change.start_ns)
    });
    for change in changes {
        match &change.mark {
            Some(mark) => marked.push((change, mark)),
            None => refolded.push(change),
        }
    }
    if !marked.is_empty() {
        let encode_later_bar =
            |(_, mark): &(_, &RefoldMark)| mark.later_bar.as_ref().map(schemas::encode_bar);
        let upsert = query(UPSERT_DIRTY_MINUTES)
            .bind(partition)
            .bind(column_for_unnest(&marked, |(change, _)| {
                change.instrument.key()
            }))
            .bind(column_for_unnest(&marked, |(change, _)| change.start_ns))
            .bind(column_for_unnest(&marked, |(_, mark)| {
                u64_bits_as_bigint(mark.up_to.epoch)
            }))
            .bind(column_for_unnest(&marked, |(_, mark)| {
                u64_bits_as_bigint(mark.up_to.offset)
            }))
            .bind(column_for_unnest(&marked, |(_, mark)| {
                u64_bits_as_bigint(mark.amendments)
            }))
            .bind(column_for_unnest(&marked, |(_, mark)| mark.force))
            .bind(column_for_unnest(&marked, encode_later_bar));
        upsert.execute(&mut *session).await?;
    }
    if !refolded.is_empty() {
        let delete = query(DELETE_DIRTY_MINUTES)
            .bind(partition)
            .bind(column_for_unnest(&refolded, |change| {
                change.instrument.key()
            }))
            .bind(column_for_unnest(&refolded, |change| change.start_ns));
        delete.execute(session).await?;
    }
    Ok(())
}

/// Inserts the pending amendments of a transaction.
pub(super) async fn write_pending_amendments(
    session: &mut PgConnection,
    transaction: &PartitionTransaction,
) -> Result<(), DatabaseError> {
    let rows = &last_row_of_each_key(&transaction.pending_amendments, |row| (&row.key, &row.id));
    if rows.is_empty() {
        return Ok(());
    }
    let keys = IdSetKeyColumns::from_keys(rows.iter().map(|row| &row.key));
    let upsert = query(UPSERT_PENDING_AMENDMENTS)
        .bind(partition_as_integer(transaction.progress.partition)?)
        .bind(keys.instruments)
        .bind(keys.scopes)
        .bind(keys.buckets_ns)
        .bind(column_for_unnest(rows, |row| row.id.to_string()))
        .bind(column_for_unnest(rows, |row| row.append_time_ns));
    upsert.execute(session).await?;
    Ok(())
}

/// Reads a row of [`SELECT_DIRTY_MINUTES`].
pub(super) fn read_dirty_minute(row: &PgRow) -> Result<DirtyMinuteRow, DatabaseError> {
    let later_bar: Option<&[u8]> = row.try_get(6)?;
    Ok(DirtyMinuteRow {
        instrument: read_parsed_text(row, 0, "instrument")?,
        start_ns: row.try_get(1)?,
        mark: RefoldMark {
            up_to: Position {
                epoch: read_bigint_bits_as_u64(row, 2)?,
                offset: read_bigint_bits_as_u64(row, 3)?,
            },
            amendments: read_bigint_bits_as_u64(row, 4)?,
            force: row.try_get(5)?,
            later_bar: later_bar.map(schemas::decode_bar).transpose()?,
        },
    })
}

/// Reads a row of [`SELECT_PENDING_AMENDMENTS`].
pub(super) fn read_pending_amendment(row: &PgRow) -> Result<PendingAmendmentRow, DatabaseError> {
    Ok(PendingAmendmentRow {
        key: read_id_set_key(row)?,
        id: parse_trade_id(row.try_get(3)?)?,
        append_time_ns: row.try_get(4)?,
    })
}
