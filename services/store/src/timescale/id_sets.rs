//! The tables of sets of ids: `id_sets`, `id_ranges` and `id_chunks`.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row, query};

use super::column::{column_for_unnest, read_parsed_numeric, u64_as_numeric};
use super::database_error::DatabaseError;
use super::id_set_key::IdSetKeyColumns;
use crate::id_chunk::{self, IdSegmentAssembler};
use crate::last_rows::last_row_of_each_key;
use crate::{
    IdSegmentKey, IdSegmentStart, IdSegmentSummary, IdSetChange, IdSetWrites, StoredIdSegment,
    StoredIdSet,
};

const UPSERT_ID_SETS: &str = "INSERT INTO id_sets (instrument, scope, bucket_ns, last_append_ns) \
    SELECT * FROM unnest($1, $2, $3, $4) ON CONFLICT (instrument, scope, bucket_ns) \
    DO UPDATE SET last_append_ns = excluded.last_append_ns";

const DELETE_ID_RANGES: &str = "DELETE FROM id_ranges AS r \
    USING unnest($1, $2, $3, $4) AS removed (instrument, scope, bucket_ns, first) \
    WHERE r.instrument = removed.instrument AND r.scope = removed.scope \
    AND r.bucket_ns = removed.bucket_ns AND r.first = removed.first";

const UPSERT_ID_RANGES: &str = "INSERT INTO id_ranges (instrument, scope, bucket_ns, first, last) \
    SELECT * FROM unnest($1, $2, $3, $4, $5) \
    ON CONFLICT (instrument, scope, bucket_ns, first) DO UPDATE SET last = excluded.last";

const DELETE_ID_SEGMENTS: &str = "DELETE FROM id_chunks AS c \
    USING unnest($1, $2, $3, $4) AS removed (instrument, scope, bucket_ns, segment) \
    WHERE c.instrument = removed.instrument AND c.scope = removed.scope \
    AND c.bucket_ns = removed.bucket_ns AND c.segment = removed.segment";

const UPSERT_ID_CHUNKS: &str = "INSERT INTO id_chunks \
    (instrument, scope, bucket_ns, segment, chunk, body) \
    SELECT * FROM unnest($1, $2, $3, $4, $5, $6) \
    ON CONFLICT (instrument, scope, bucket_ns, segment, chunk) DO UPDATE SET body = excluded.body";

/// Selects sets by their keys. It is one statement, so ranges and segments are of one moment.
///
/// Columns: the index of the key, counted from 1; the kind of [`IdSetPart`]; a number; the last
/// number of a range, or the bytes of a segment; the start of a segment.
pub(super) const SELECT_ID_SETS: &str = "WITH keys AS MATERIALIZED (SELECT * FROM unnest($1, $2, $3) \
     WITH ORDINALITY AS k (instrument, scope, bucket_ns, key_index)) \
    SELECT key_index, 0 AS kind, last_append_ns::numeric AS number, \
    0::numeric AS last, NULL::bytea AS segment \
    FROM keys JOIN id_sets USING (instrument, scope, bucket_ns) \
    UNION ALL SELECT key_index, 1, first, last, NULL \
    FROM keys JOIN id_ranges USING (instrument, scope, bucket_ns) \
    UNION ALL SELECT key_index, 2, max(chunk) + 1, sum(octet_length(body)), segment \
    FROM keys JOIN id_chunks USING (instrument, scope, bucket_ns) GROUP BY key_index, segment \
    ORDER BY key_index, kind, number";

/// Selects the chunks of segments by their keys.
///
/// Columns: the index of the key, counted from 1; the number and the body of a chunk.
pub(super) const SELECT_ID_CHUNKS: &str = "SELECT key_index, chunk, body FROM unnest($1, $2, $3, $4) \
    WITH ORDINALITY AS k (instrument, scope, bucket_ns, segment, key_index) \
    JOIN id_chunks USING (instrument, scope, bucket_ns, segment) ORDER BY key_index, chunk";

/// Selects instrument, scope, `bucket_ns`, first, last of the sets after a key that have ranges.
pub(super) const SELECT_ID_RANGES: &str = "SELECT r.instrument, r.scope, r.bucket_ns, r.first, r.last \
    FROM (SELECT instrument, scope, bucket_ns FROM id_sets AS s \
     WHERE instrument < $4 AND (instrument, scope, bucket_ns) > ($1, $2, $3) \
     AND EXISTS (SELECT 1 FROM id_ranges AS e WHERE e.instrument = s.instrument \
                 AND e.scope = s.scope AND e.bucket_ns = s.bucket_ns) \
     ORDER BY instrument, scope, bucket_ns LIMIT $5) AS s \
    JOIN id_ranges AS r ON r.instrument = s.instrument \
    AND r.scope = s.scope AND r.bucket_ns = s.bucket_ns \
    ORDER BY r.instrument, r.scope, r.bucket_ns, r.first";

/// Writes the changes of some sets.
pub(super) async fn write_id_sets(
    session: &mut PgConnection,
    changes: &[IdSetChange],
) -> Result<(), DatabaseError> {
    if changes.is_empty() {
        return Ok(());
    }
    let sets = last_row_of_each_key(changes, |change| &change.key);
    let keys = IdSetKeyColumns::from_keys(sets.iter().map(|change| &change.key));
    let upsert = query(UPSERT_ID_SETS)
        .bind(keys.instruments)
        .bind(keys.scopes)
        .bind(keys.buckets_ns)
        .bind(column_for_unnest(&sets, |change| change.last_append_ns));
    upsert.execute(&mut *session).await?;
    write_id_ranges(session, changes).await?;
    write_id_segments(session, changes).await
}

async fn write_id_ranges(
    session: &mut PgConnection,
    changes: &[IdSetChange],
) -> Result<(), DatabaseError> {
    let (mut removed, mut upserted) = (Vec::new(), Vec::new());
    for change in changes {
        if let IdSetWrites::Ranges {
            upserted: ranges,
            removed_firsts,
        } = &change.writes
        {
            removed.extend(removed_firsts.iter().map(|first| (&change.key, *first)));
            upserted.extend(ranges.iter().map(|range| (&change.key, *range)));
        }
    }
    if !removed.is_empty() {
        let keys = IdSetKeyColumns::from_keys(removed.iter().map(|(key, _)| *key));
        let delete = query(DELETE_ID_RANGES)
            .bind(keys.instruments)
            .bind(keys.scopes)
            .bind(keys.buckets_ns)
            .bind(column_for_unnest(&removed, |(_, first)| {
                u64_as_numeric(*first)
            }));
        delete.execute(&mut *session).await?;
    }
    let upserted = last_row_of_each_key(&upserted, |(key, (first, _))| (*key, *first));
    if !upserted.is_empty() {
        let keys = IdSetKeyColumns::from_keys(upserted.iter().map(|(key, _)| *key));
        let upsert = query(UPSERT_ID_RANGES)
            .bind(keys.instruments)
            .bind(keys.scopes)
            .bind(keys.buckets_ns)
            .bind(column_for_unnest(&upserted, |(_, (first, _))| {
                u64_as_numeric(*first)
            }))
            .bind(column_for_unnest(&upserted, |(_, (_, last))| {
                u64_as_numeric(*last)
            }));
        upsert.execute(session).await?;
    }
    Ok(())
}

async fn write_id_segments(
    session: &mut PgConnection,
    changes: &[IdSetChange],
) -> Result<(), DatabaseError> {
    let (mut removed_starts, mut chunks) = (Vec::new(), Vec::new());
    for change in changes {
        if let IdSetWrites::Segments { removed, written } = &change.writes {
            removed_starts.extend(removed.iter().map(|start| (&change.key, *start)));
            chunks.extend(written.iter().map(|write| (&change.key, write)));
        }
    }
    if !removed_starts.is_empty() {
        let keys = IdSetKeyColumns::from_keys(removed_starts.iter().map(|(key, _)| *key));
        let starts = removed_starts.iter().map(|(_, start)| start.to_bytes());
        let delete = query(DELETE_ID_SEGMENTS)
            .bind(keys.instruments)
            .bind(keys.scopes)
            .bind(keys.buckets_ns)
            .bind(starts.collect::<Vec<_>>());
        delete.execute(&mut *session).await?;
    }
    let chunks = last_row_of_each_key(&chunks, |(key, write)| (*key, write.start, write.chunk));
    if !chunks.is_empty() {
        let keys = IdSetKeyColumns::from_keys(chunks.iter().map(|(key, _)| *key));
        let upsert = query(UPSERT_ID_CHUNKS)
            .bind(keys.instruments)
            .bind(keys.scopes)
            .bind(keys.buckets_ns)
            .bind(column_for_unnest(&chunks, |(_, write)| {
                write.start.to_bytes()
            }))
            .bind(column_for_unnest(&chunks, |(_, write)| {
                i64::from(write.chunk)
            }))
            .bind(column_for_unnest(&chunks, |(_, write)| {
                id_chunk::encode_ids(&write.ids)
            }));
        upsert.execute(session).await?;
    }
    Ok(())
}

/// One row of [`SELECT_ID_SETS`], which holds a part of a set.
pub(super) enum IdSetPart {
    /// The append time of the newest trade of the set.
    LastAppendNs(i64),
    /// An inclusive range of numbers.
    Range((u64, u64)),
    /// A segment of ids that are stored one by one.
    Segment(IdSegmentSummary),
}

/// Reads a row of [`SELECT_ID_SETS`]. Returns the index of its key, counted from 1, and the part.
pub(super) fn read_id_set_part(row: &PgRow) -> Result<(i64, IdSetPart), DatabaseError> {
    let part = match row.try_get::<i32, _>(1)? {
        0 => IdSetPart::LastAppendNs(read_parsed_numeric(row, 2, "append time")?),
        1 => IdSetPart::Range((
            read_parsed_numeric(row, 2, "id")?,
            read_parsed_numeric(row, 3, "id")?,
        )),
        _ => {
            let start = IdSegmentStart::from_bytes(row.try_get(4)?);
            IdSetPart::Segment(IdSegmentSummary {
                start: start.ok_or_else(|| {
                    DatabaseError::malformed_value("segment", "it has another length")
                })?,
                chunk_count: read_parsed_numeric(row, 2, "chunks")?,
                stored_bytes: read_parsed_numeric(row, 3, "bytes")?,
            })
        }
    };
    Ok((row.try_get(0)?, part))
}

/// Reads a row of [`SELECT_ID_CHUNKS`]. Returns the index of its key, counted from 1, and the
/// number and the body of the chunk.
pub(super) fn read_id_chunk(row: &PgRow) -> Result<(i64, u32, Vec<u8>), DatabaseError> {
    let number = u32::try_from(row.try_get::<i64, _>(1)?);
    let number =
        number.map_err(|_| DatabaseError::malformed_value("chunk", "it exceeds 32 bits"))?;
    Ok((row.try_get(0)?, number, row.try_get(2)?))
}

/// Assembles segments from the rows of [`SELECT_ID_CHUNKS`].
pub(super) fn assemble_id_segments(
    keys: &[IdSegmentKey],
    chunks: Vec<(i64, u32, Vec<u8>)>,
) -> Result<Vec<StoredIdSegment>, DatabaseError> {
    let assemblers = keys.iter().map(|key| IdSegmentAssembler::new(key.start));
    let mut assemblers: Vec<_> = assemblers.collect();
    for (key_index, number, body) in chunks {
        let index = usize::try_from(key_index - 1).expect("it is the index of a key");
        assemblers[index].add_chunk(number, &body)?;
    }
    Ok(assemblers
        .into_iter()
        .map(IdSegmentAssembler::into_stored_segment)
        .collect())
}

/// Assembles the sets of `key_count` keys from the rows of [`SELECT_ID_SETS`].
pub(super) fn assemble_id_sets(key_count: usize, parts: Vec<(i64, IdSetPart)>) -> Vec<StoredIdSet> {
    let mut sets = vec![StoredIdSet::default(); key_count];
    for (key_index, part) in parts {
        let index = usize::try_from(key_index - 1).expect("it is the index of a key");
        let set = &mut sets[index];
        match part {
            IdSetPart::LastAppendNs(last_append_ns) => set.last_append_ns = last_append_ns,
            IdSetPart::Range(range) => set.ranges.push(range),
            IdSetPart::Segment(segment) => set.segments.push(segment),
        }
    }
    for set in &mut sets {
        set.segments.sort_unstable_by_key(|segment| segment.start);
    }
    sets
}
