//! The tables of sets of ids: `id_sets`, `id_ranges` and `id_chunks`.

use std::collections::BTreeMap;

use market::TradeId;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row, query};

use super::column::{column_for_unnest, read_parsed_numeric, u64_as_numeric};
use super::database_error::DatabaseError;
use super::id_set_key::IdSetKeyColumns;
use crate::last_rows::last_row_of_each_key;
use crate::{IdSetChange, IdSetKey, IdSetRow, IdSetWrites, id_chunk};

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

const INSERT_ID_CHUNKS: &str = "INSERT INTO id_chunks (instrument, scope, bucket_ns, body, chunk) \
    SELECT added.*, (SELECT coalesce(max(c.chunk) + 1, 0) FROM id_chunks AS c \
    WHERE c.instrument = added.instrument AND c.scope = added.scope \
    AND c.bucket_ns = added.bucket_ns) \
    FROM unnest($1, $2, $3, $4) AS added (instrument, scope, bucket_ns, body)";

/// Selects sets by their keys. It is one statement, so ranges and exact ids are of one moment.
///
/// Columns: the index of the key, counted from 1; the kind of [`IdSetPart`]; a number; the last
/// number of a range; the body of a chunk.
pub(super) const SELECT_ID_SETS: &str = "WITH keys AS MATERIALIZED (SELECT * FROM unnest($1, $2, $3) \
     WITH ORDINALITY AS k (instrument, scope, bucket_ns, key_index)) \
    SELECT key_index, 0 AS kind, last_append_ns::numeric AS number, \
    0::numeric AS last, NULL::bytea AS body \
    FROM keys JOIN id_sets USING (instrument, scope, bucket_ns) \
    UNION ALL SELECT key_index, 1, first, last, NULL \
    FROM keys JOIN id_ranges USING (instrument, scope, bucket_ns) \
    UNION ALL SELECT key_index, 2, chunk, 0, body \
    FROM keys JOIN id_chunks USING (instrument, scope, bucket_ns) \
    ORDER BY key_index, kind, number";

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
    write_exact_ids(session, changes).await
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

async fn write_exact_ids(
    session: &mut PgConnection,
    changes: &[IdSetChange],
) -> Result<(), DatabaseError> {
    // Each set gets one chunk: the statement numbers chunks by those that were stored before it.
    let mut ids_by_set: BTreeMap<&IdSetKey, Vec<&TradeId>> = BTreeMap::new();
    for change in changes {
        if let IdSetWrites::Exact { added } = &change.writes {
            ids_by_set.entry(&change.key).or_default().extend(added);
        }
    }
    ids_by_set.retain(|_, ids| !ids.is_empty());
    if ids_by_set.is_empty() {
        return Ok(());
    }
    let bodies = ids_by_set.values().map(|ids| id_chunk::encode_ids(ids));
    let bodies = bodies.collect::<Result<Vec<_>, _>>()?;
    let keys = IdSetKeyColumns::from_keys(ids_by_set.keys().copied());
    let insert = query(INSERT_ID_CHUNKS)
        .bind(keys.instruments)
        .bind(keys.scopes)
        .bind(keys.buckets_ns)
        .bind(bodies);
    insert.execute(session).await?;
    Ok(())
}

/// One row of [`SELECT_ID_SETS`], which holds a part of a set.
pub(super) enum IdSetPart {
    /// The append time of the newest trade of the set.
    LastAppendNs(i64),
    /// An inclusive range of numbers.
    Range((u64, u64)),
    /// The ids of one chunk.
    Chunk(Vec<TradeId>),
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
            let mut ids = Vec::new();
            id_chunk::decode_ids(row.try_get(4)?, &mut ids)?;
            IdSetPart::Chunk(ids)
        }
    };
    Ok((row.try_get(0)?, part))
}

/// Assembles the sets of `key_count` keys from the rows of [`SELECT_ID_SETS`].
pub(super) fn assemble_id_sets(key_count: usize, parts: Vec<(i64, IdSetPart)>) -> Vec<IdSetRow> {
    let mut sets = vec![IdSetRow::default(); key_count];
    for (key_index, part) in parts {
        let index = usize::try_from(key_index - 1).expect("it is the index of a key");
        let set = &mut sets[index];
        match part {
            IdSetPart::LastAppendNs(last_append_ns) => set.last_append_ns = last_append_ns,
            IdSetPart::Range(range) => set.ranges.push(range),
            IdSetPart::Chunk(mut ids) => set.exact.append(&mut ids),
        }
    }
    sets
}
