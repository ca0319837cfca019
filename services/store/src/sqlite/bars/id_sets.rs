//! The tables of sets of ids: `id_sets`, `id_ranges` and `id_chunks`.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use market::TradeId;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use crate::id_chunk;
use crate::sqlite::column::{read_u64, u64_as_ordered_column};
use crate::sqlite::database_error::DatabaseError;
use crate::sqlite::row_batches::{BatchedStatement, BoundQuery};
use crate::state::{IdSetKey, IdSetWrites, PartitionTransaction};

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

pub(super) static INSERT_ID_CHUNKS: LazyLock<BatchedStatement> = LazyLock::new(|| {
    BatchedStatement::new(
        "INSERT INTO id_chunks (instrument, scope, bucket_ns, body, chunk) \
         SELECT column1, column2, column3, column4, \
         (SELECT coalesce(max(chunk) + 1, 0) FROM id_chunks \
          WHERE instrument = column1 AND scope = column2 AND bucket_ns = column3) FROM (",
        4,
        ")",
    )
});

/// One statement, so that the ranges and exact ids of a set are consistent.
pub(super) const SELECT_ID_SETS: &str = "SELECT 0 AS kind, last_append_ns AS number, 0 AS last, NULL AS body \
    FROM id_sets WHERE instrument = ?1 AND scope = ?2 AND bucket_ns = ?3 \
    UNION ALL SELECT 1, first, last, NULL \
    FROM id_ranges WHERE instrument = ?1 AND scope = ?2 AND bucket_ns = ?3 \
    UNION ALL SELECT 2, chunk, 0, body \
    FROM id_chunks WHERE instrument = ?1 AND scope = ?2 AND bucket_ns = ?3 \
    ORDER BY kind, number";

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

/// Writes the added ids of sets that are stored id by id.
pub(super) async fn write_exact_ids(
    connection: &mut SqliteConnection,
    transaction: &PartitionTransaction,
) -> Result<(), DatabaseError> {
    // One chunk per set, because the statement numbers a chunk by those stored before it.
    let mut by_set: BTreeMap<&IdSetKey, Vec<&TradeId>> = BTreeMap::new();
    for change in &transaction.id_sets {
        if let IdSetWrites::Exact { added } = &change.writes {
            by_set.entry(&change.key).or_default().extend(added);
        }
    }
    let mut chunks = Vec::with_capacity(by_set.len());
    for (key, ids) in by_set.iter().filter(|(_, ids)| !ids.is_empty()) {
        chunks.push((*key, id_chunk::encode_ids(ids)?));
    }
    INSERT_ID_CHUNKS
        .run(connection, &chunks, |bound, (key, body)| {
            bind_id_set_key(bound, key).bind(body.clone())
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
    /// Ids that are stored one by one.
    Chunk(Vec<TradeId>),
}

/// Reads a row of [`SELECT_ID_SETS`].
pub(super) fn read_id_set_part(row: &SqliteRow) -> Result<IdSetPart, DatabaseError> {
    Ok(match row.try_get::<i64, _>(0)? {
        0 => IdSetPart::LastAppend(row.try_get(1)?),
        1 => IdSetPart::Range((read_u64(row, 1)?, read_u64(row, 2)?)),
        _ => {
            let mut exact = Vec::new();
            id_chunk::decode_ids(row.try_get(3)?, &mut exact)?;
            IdSetPart::Chunk(exact)
        }
    })
}
