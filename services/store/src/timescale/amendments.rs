//! Marks of minutes that are to be folded anew, and trades that were amended before they came.

use market::Position;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row, query};

use super::bar_columns::read_id;
use super::column::{bits, partition, read_bits, read_parsed};
use super::commit::column;
use super::failure::Failure;
use super::ids::{Keys, read_key};
use crate::{DirtyMinuteRow, PendingAmendmentRow, RefoldMark, Transaction};

const MARKS: &str = "INSERT INTO dirty_minutes \
    (partition, instrument, start_ns, up_to_epoch, up_to_offset, amendments, later_bar) \
    SELECT $1, * FROM unnest($2, $3, $4, $5, $6, $7) \
    ON CONFLICT (partition, instrument, start_ns) DO UPDATE SET \
    up_to_epoch = excluded.up_to_epoch, up_to_offset = excluded.up_to_offset, \
    amendments = excluded.amendments, later_bar = excluded.later_bar";

const MARKS_GONE: &str = "DELETE FROM dirty_minutes AS d USING unnest($2, $3) AS gone \
    (instrument, start_ns) WHERE d.partition = $1 AND d.instrument = gone.instrument \
    AND d.start_ns = gone.start_ns";

const AHEAD: &str = "INSERT INTO pending_amendments \
    (partition, instrument, scope, bucket_ns, id, append_time_ns) \
    SELECT $1, * FROM unnest($2, $3, $4, $5, $6) \
    ON CONFLICT (instrument, scope, bucket_ns, id) DO UPDATE SET \
    partition = excluded.partition, append_time_ns = excluded.append_time_ns";

/// instrument, `start_ns`, `up_to_epoch`, `up_to_offset`, amendments, later.
pub(super) const DIRTY: &str = "SELECT instrument, start_ns, up_to_epoch, up_to_offset, \
    amendments, later_bar FROM dirty_minutes WHERE partition = $1 ORDER BY instrument, start_ns";

/// instrument, scope, `bucket_ns`, id, `append_time_ns`.
pub(super) const AHEAD_OF: &str = "SELECT instrument, scope, bucket_ns, id, append_time_ns \
    FROM pending_amendments WHERE partition = $1 ORDER BY instrument, scope, bucket_ns, id";

/// Writes what a step changes of both.
pub(super) async fn write(
    session: &mut PgConnection,
    transaction: &Transaction,
) -> Result<(), Failure> {
    write_marks(session, transaction).await?;
    let ahead = &transaction.pending_amendments;
    if ahead.is_empty() {
        return Ok(());
    }
    let keys = Keys::of(ahead.iter().map(|row| &row.key));
    let written = query(AHEAD)
        .bind(partition(transaction.progress.partition)?)
        .bind(keys.instruments)
        .bind(keys.scopes)
        .bind(keys.buckets_ns)
        .bind(column(ahead, |row| row.id.to_string()))
        .bind(column(ahead, |row| row.append_time_ns));
    written.execute(session).await?;
    Ok(())
}

async fn write_marks(session: &mut PgConnection, transaction: &Transaction) -> Result<(), Failure> {
    let partition = partition(transaction.progress.partition)?;
    let (mut put, mut gone) = (Vec::new(), Vec::new());
    for change in &transaction.dirty_minutes {
        match &change.mark {
            Some(mark) => put.push((change, mark)),
            None => gone.push(change),
        }
    }
    if !put.is_empty() {
        let encode =
            |(_, mark): &(_, &RefoldMark)| mark.later_bar.as_ref().map(schemas::encode_bar);
        let written = query(MARKS)
            .bind(partition)
            .bind(column(&put, |(change, _)| change.instrument.key()))
            .bind(column(&put, |(change, _)| change.start_ns))
            .bind(column(&put, |(_, mark)| bits(mark.up_to.epoch)))
            .bind(column(&put, |(_, mark)| bits(mark.up_to.offset)))
            .bind(column(&put, |(_, mark)| bits(mark.amendments)))
            .bind(column(&put, encode));
        written.execute(&mut *session).await?;
    }
    if !gone.is_empty() {
        let removed = query(MARKS_GONE)
            .bind(partition)
            .bind(column(&gone, |change| change.instrument.key()))
            .bind(column(&gone, |change| change.start_ns));
        removed.execute(session).await?;
    }
    Ok(())
}

/// Reads a row of [`DIRTY`].
pub(super) fn read_dirty(row: &PgRow) -> Result<DirtyMinuteRow, Failure> {
    let later: Option<&[u8]> = row.try_get(5)?;
    Ok(DirtyMinuteRow {
        instrument: read_parsed(row, 0, "instrument")?,
        start_ns: row.try_get(1)?,
        mark: RefoldMark {
            up_to: Position {
                epoch: read_bits(row, 2)?,
                offset: read_bits(row, 3)?,
            },
            amendments: read_bits(row, 4)?,
            later_bar: later.map(schemas::decode_bar).transpose()?,
        },
    })
}

/// Reads a row of [`AHEAD_OF`].
pub(super) fn read_ahead(row: &PgRow) -> Result<PendingAmendmentRow, Failure> {
    Ok(PendingAmendmentRow {
        key: read_key(row)?,
        id: read_id(row.try_get(3)?)?,
        append_time_ns: row.try_get(4)?,
    })
}
