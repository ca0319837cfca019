//! The tables of sets of ids: `id_sets`, `id_ranges` and `id_chunks`.

use std::sync::{Arc, LazyLock};

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use crate::id_chunk;
use crate::sqlite::column::{read_ordered_u64, u64_as_ordered_column};
use crate::sqlite::database_error::DatabaseError;
use crate::sqlite::row_batches::{BatchedStatement, BoundQuery};
use crate::state::{
    IdSegmentStart, IdSegmentSummary, IdSetKey, IdSetWrites, PartitionTransaction, StoredIdSet,
};

pub(super) static UPSERT_ID_SETS: LazyLock<BatchedStatement> = LazyLock::new(|| {
    BatchedStatement::new(
        "INSERT INTO id_sets (instrument, scope, bucket_ns, last_append_ns)",
        4,
        "ON CONFLICT (instrument, scope, bucket_ns) \
         DO UPDATE SET last_append_ns = excluded.last_append_ns",
    )
});

pub(super) static DELETE_ID_RANGES: LazyLock<BatchedStatement> = LazyLock::new(|| {
    BatchedStatement::new(
        // Without the casts, SQLite would search by the first two columns only.
        "DELETE FROM id_ranges WHERE (instrument, scope, bucket_ns, first) IN \
         (SELECT CAST(column1 AS TEXT), CAST(column2 AS TEXT), CAST(column3 AS INTEGER), \
          CAST(column4 AS INTEGER) FROM (",
        4,
        "))",
    )
});

pub(super) static UPSERT_ID_RANGES: LazyLock<BatchedStatement> = LazyLock::new(|| {
    BatchedStatement::new(
        "INSERT INTO id_ranges (instrument, scope, bucket_ns, first, last)",
        5,
        "ON CONFLICT (instrument, scope, bucket_ns, first) DO UPDATE SET last = excluded.last",
    )
});

pub(super) static DELETE_ID_SEGMENTS: LazyLock<BatchedStatement> = LazyLock::new(|| {
    BatchedStatement::new(
        // Without the casts, SQLite would search by the first two columns only.
        "DELETE FROM id_chunks WHERE (instrument, scope, bucket_ns, segment) IN \
         (SELECT CAST(column1 AS TEXT), CAST(column2 AS TEXT), CAST(column3 AS INTEGER), \
          CAST(column4 AS BLOB) FROM (",
        4,
        "))",
    )
});

pub(super) static UPSERT_ID_CHUNKS: LazyLock<BatchedStatement> = LazyLock::new(|| {
    BatchedStatement::new(
        "INSERT INTO id_chunks (instrument, scope, bucket_ns, segment, chunk, body)",
        6,
        "ON CONFLICT (instrument, scope, bucket_ns, segment, chunk) \
         DO UPDATE SET body = excluded.body",
    )
});

/// One statement, so that the ranges and segments of a set are consistent.
pub(super) const SELECT_ID_SETS: &str = "SELECT 0 AS kind, last_append_ns AS number, 0 AS last, NULL AS segment \
    FROM id_sets WHERE instrument = ?1 AND scope = ?2 AND bucket_ns = ?3 \
    UNION ALL SELECT 1, first, last, NULL \
    FROM id_ranges WHERE instrument = ?1 AND scope = ?2 AND bucket_ns = ?3 \
    UNION ALL SELECT 2, max(chunk) + 1, sum(length(body)), segment \
    FROM id_chunks WHERE instrument = ?1 AND scope = ?2 AND bucket_ns = ?3 GROUP BY segment \
    ORDER BY kind, number, segment";

pub(super) const SELECT_ID_CHUNKS: &str = "SELECT chunk, body FROM id_chunks \
    WHERE instrument = ?1 AND scope = ?2 AND bucket_ns = ?3 AND segment = ?4 ORDER BY chunk";

/// Writes the keys of sets of ids, and the changes of sets that are stored as ranges.
pub(super) async fn write_id_sets_and_ranges(
    connection: &mut SqliteConnection,
    transaction: &PartitionTransaction,
) -> Result<(), DatabaseError> {
    UPSERT_ID_SETS
        .run(connection, &transaction.id_sets, |bound, change| {
            bind_id_set_key(bound, &change.key).bind(change.last_append_ns)
        })
        .await?;
    let (mut removed, mut upserted_ranges) = (Vec::new(), Vec::new());
    for change in &transaction.id_sets {
        if let IdSetWrites::Ranges {
            upserted,
            removed_firsts,
        } = &change.writes
        {
            removed.extend(removed_firsts.iter().map(|first| (&change.key, *first)));
            upserted_ranges.extend(upserted.iter().map(|range| (&change.key, *range)));
        }
    }
    DELETE_ID_RANGES
        .run(connection, &removed, |bound, (key, first)| {
            bind_id_set_key(bound, key).bind(u64_as_ordered_column(*first))
        })
        .await?;
    UPSERT_ID_RANGES
        .run(
            connection,
            &upserted_ranges,
            |bound, (key, (first, last))| {
                bind_id_set_key(bound, key)
                    .bind(u64_as_ordered_column(*first))
                    .bind(u64_as_ordered_column(*last))
            },
        )
        .await?;
    Ok(())
}

/// Removes and writes segments of sets that are stored id by id.
pub(super) async fn write_id_segments(
    connection: &mut SqliteConnection,
    transaction: &PartitionTransaction,
) -> Result<(), DatabaseError> {
    let (mut removed_starts, mut chunks) = (Vec::new(), Vec::new());
    for change in &transaction.id_sets {
        if let IdSetWrites::Segments { removed, written } = &change.writes {
            removed_starts.extend(removed.iter().map(|start| (&change.key, *start)));
            chunks.extend(written.iter().map(|write| (&change.key, write)));
        }
    }
    DELETE_ID_SEGMENTS
        .run(connection, &removed_starts, |bound, (key, start)| {
            bind_id_set_key(bound, key).bind(start.to_bytes())
        })
        .await?;
    UPSERT_ID_CHUNKS
        .run(connection, &chunks, |bound, (key, write)| {
            bind_id_set_key(bound, key)
                .bind(write.start.to_bytes())
                .bind(write.chunk)
                .bind(id_chunk::encode_ids(&write.ids))
        })
        .await?;
    Ok(())
}

/// Binds the key of an id set to the query: instrument, scope and bucket.
pub(super) fn bind_id_set_key(bound: BoundQuery, key: &IdSetKey) -> BoundQuery {
    bound
        .bind(key.instrument.key().to_owned())
        .bind(Arc::clone(&key.scope))
        .bind(key.bucket_ns)
}

/// One row of [`SELECT_ID_SETS`].
pub(super) enum IdSetPart {
    /// The `last_append_ns` of the set.
    LastAppend(i64),
    /// A range of numbers, inclusive.
    Range((u64, u64)),
    /// A segment of ids that are stored one by one.
    Segment(IdSegmentSummary),
}

/// Reads a row of [`SELECT_ID_SETS`].
pub(super) fn read_id_set_part(row: &SqliteRow) -> Result<IdSetPart, DatabaseError> {
    Ok(match row.try_get::<i64, _>(0)? {
        0 => IdSetPart::LastAppend(row.try_get(1)?),
        1 => IdSetPart::Range((read_ordered_u64(row, 1)?, read_ordered_u64(row, 2)?)),
        _ => {
            let start = IdSegmentStart::from_bytes(row.try_get(3)?);
            let chunk_count = u32::try_from(row.try_get::<i64, _>(1)?).ok();
            let (Some(start), Some(chunk_count)) = (start, chunk_count) else {
                return Err(DatabaseError::malformed_value(
                    "segment",
                    "its key or chunks",
                ));
            };
            IdSetPart::Segment(IdSegmentSummary {
                start,
                chunk_count,
                stored_bytes: row.try_get::<i64, _>(2)?.unsigned_abs(),
            })
        }
    })
}

impl StoredIdSet {
    /// Adds a part that was read.
    pub(super) fn add_part(&mut self, part: &IdSetPart) {
        match part {
            IdSetPart::LastAppend(last_append_ns) => self.last_append_ns = *last_append_ns,
            IdSetPart::Range(range) => self.ranges.push(*range),
            IdSetPart::Segment(segment) => self.segments.push(*segment),
        }
    }
}
