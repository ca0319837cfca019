//! Sets of ids.

use std::collections::BTreeMap;
use std::sync::Arc;

use market::TradeId;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row, query};

use super::column::{number, read_number, read_parsed};
use super::commit::column;
use super::failure::Failure;
use crate::{IdSetChange, IdSetDiff, IdSetKey, IdSetRow, id_chunk};

const SETS: &str = "INSERT INTO id_sets (instrument, scope, bucket_ns, last_append_ns) \
    SELECT * FROM unnest($1, $2, $3, $4) ON CONFLICT (instrument, scope, bucket_ns) \
    DO UPDATE SET last_append_ns = excluded.last_append_ns";

const RANGES_GONE: &str = "DELETE FROM id_ranges AS r \
    USING unnest($1, $2, $3, $4) AS gone (instrument, scope, bucket_ns, first) \
    WHERE r.instrument = gone.instrument AND r.scope = gone.scope \
    AND r.bucket_ns = gone.bucket_ns AND r.first = gone.first";

const RANGES: &str = "INSERT INTO id_ranges (instrument, scope, bucket_ns, first, last) \
    SELECT * FROM unnest($1, $2, $3, $4, $5) \
    ON CONFLICT (instrument, scope, bucket_ns, first) DO UPDATE SET last = excluded.last";

const CHUNKS: &str = "INSERT INTO id_chunks (instrument, scope, bucket_ns, body, chunk) \
    SELECT added.*, (SELECT coalesce(max(c.chunk) + 1, 0) FROM id_chunks AS c \
    WHERE c.instrument = added.instrument AND c.scope = added.scope \
    AND c.bucket_ns = added.bucket_ns) \
    FROM unnest($1, $2, $3, $4) AS added (instrument, scope, bucket_ns, body)";

/// Sets by name. One statement, so that ranges and exact ids are of one moment.
pub(super) const IDS: &str = "WITH names AS MATERIALIZED (SELECT * FROM unnest($1, $2, $3) \
     WITH ORDINALITY AS n (instrument, scope, bucket_ns, place)) \
    SELECT place, 0 AS kind, last_append_ns::numeric AS number, \
    0::numeric AS last, NULL::bytea AS body \
    FROM names JOIN id_sets USING (instrument, scope, bucket_ns) \
    UNION ALL SELECT place, 1, first, last, NULL \
    FROM names JOIN id_ranges USING (instrument, scope, bucket_ns) \
    UNION ALL SELECT place, 2, chunk, 0, body \
    FROM names JOIN id_chunks USING (instrument, scope, bucket_ns) \
    ORDER BY place, kind, number";

pub(super) const ID_RANGES: &str = "SELECT r.instrument, r.scope, r.bucket_ns, r.first, r.last \
    FROM (SELECT instrument, scope, bucket_ns FROM id_sets AS s \
     WHERE instrument < $4 AND (instrument, scope, bucket_ns) > ($1, $2, $3) \
     AND EXISTS (SELECT 1 FROM id_ranges AS e WHERE e.instrument = s.instrument \
                 AND e.scope = s.scope AND e.bucket_ns = s.bucket_ns) \
     ORDER BY instrument, scope, bucket_ns LIMIT $5) AS s \
    JOIN id_ranges AS r ON r.instrument = s.instrument \
    AND r.scope = s.scope AND r.bucket_ns = s.bucket_ns \
    ORDER BY r.instrument, r.scope, r.bucket_ns, r.first";

/// The columns that name some sets, for `unnest`.
pub(super) struct Keys<'a> {
    pub(super) instruments: Vec<&'a str>,
    pub(super) scopes: Vec<&'a str>,
    pub(super) buckets_ns: Vec<i64>,
}

impl<'a> Keys<'a> {
    pub(super) fn of(keys: impl Iterator<Item = &'a IdSetKey> + Clone) -> Self {
        Self {
            instruments: keys.clone().map(|key| key.instrument.key()).collect(),
            scopes: keys.clone().map(|key| &*key.scope).collect(),
            buckets_ns: keys.map(|key| key.bucket_ns).collect(),
        }
    }
}

/// Writes what some sets have gained.
pub(super) async fn write(
    session: &mut PgConnection,
    changes: &[IdSetChange],
) -> Result<(), Failure> {
    if changes.is_empty() {
        return Ok(());
    }
    let keys = Keys::of(changes.iter().map(|change| &change.key));
    let sets = query(SETS)
        .bind(keys.instruments)
        .bind(keys.scopes)
        .bind(keys.buckets_ns)
        .bind(column(changes, |change| change.last_append_ns));
    sets.execute(&mut *session).await?;
    write_ranges(session, changes).await?;
    write_exact(session, changes).await
}

async fn write_ranges(session: &mut PgConnection, changes: &[IdSetChange]) -> Result<(), Failure> {
    let (mut gone, mut kept) = (Vec::new(), Vec::new());
    for change in changes {
        if let IdSetDiff::Ranges {
            upserted,
            removed_firsts,
        } = &change.diff
        {
            gone.extend(removed_firsts.iter().map(|first| (&change.key, *first)));
            kept.extend(upserted.iter().map(|range| (&change.key, *range)));
        }
    }
    if !gone.is_empty() {
        let keys = Keys::of(gone.iter().map(|(key, _)| *key));
        let gone = query(RANGES_GONE)
            .bind(keys.instruments)
            .bind(keys.scopes)
            .bind(keys.buckets_ns)
            .bind(column(&gone, |(_, first)| number(*first)));
        gone.execute(&mut *session).await?;
    }
    if !kept.is_empty() {
        let keys = Keys::of(kept.iter().map(|(key, _)| *key));
        let kept = query(RANGES)
            .bind(keys.instruments)
            .bind(keys.scopes)
            .bind(keys.buckets_ns)
            .bind(column(&kept, |(_, (first, _))| number(*first)))
            .bind(column(&kept, |(_, (_, last))| number(*last)));
        kept.execute(session).await?;
    }
    Ok(())
}

async fn write_exact(session: &mut PgConnection, changes: &[IdSetChange]) -> Result<(), Failure> {
    // One chunk a set: the statement numbers chunks by what was stored before it.
    let mut by_set: BTreeMap<&IdSetKey, Vec<&TradeId>> = BTreeMap::new();
    for change in changes {
        if let IdSetDiff::Exact { added } = &change.diff {
            by_set.entry(&change.key).or_default().extend(added);
        }
    }
    by_set.retain(|_, ids| !ids.is_empty());
    if by_set.is_empty() {
        return Ok(());
    }
    let bodies = by_set.values().map(|ids| id_chunk::encode(ids));
    let bodies = bodies.collect::<Result<Vec<_>, _>>()?;
    let keys = Keys::of(by_set.keys().copied());
    let chunks = query(CHUNKS)
        .bind(keys.instruments)
        .bind(keys.scopes)
        .bind(keys.buckets_ns)
        .bind(bodies);
    chunks.execute(session).await?;
    Ok(())
}

/// A row of [`IDS`].
pub(super) enum Part {
    Set(i64),
    Range((u64, u64)),
    Chunk(Vec<TradeId>),
}

/// Reads a row of [`IDS`]: of which key by its place, counted from 1, and what.
pub(super) fn read_part(row: &PgRow) -> Result<(i64, Part), Failure> {
    let part = match row.try_get::<i32, _>(1)? {
        0 => Part::Set(read_number(row, 2, "append time")?),
        1 => Part::Range((read_number(row, 2, "id")?, read_number(row, 3, "id")?)),
        _ => {
            let mut exact = Vec::new();
            id_chunk::decode(row.try_get(4)?, &mut exact)?;
            Part::Chunk(exact)
        }
    };
    Ok((row.try_get(0)?, part))
}

/// The sets of so many keys, which [`IDS`] has found in parts.
pub(super) fn whole(count: usize, parts: Vec<(i64, Part)>) -> Vec<IdSetRow> {
    let mut sets = vec![IdSetRow::default(); count];
    for (place, part) in parts {
        let place = usize::try_from(place - 1).expect("it is a place of a key");
        let set = &mut sets[place];
        match part {
            Part::Set(last_append_ns) => set.last_append_ns = last_append_ns,
            Part::Range(range) => set.ranges.push(range),
            Part::Chunk(mut ids) => set.exact.append(&mut ids),
        }
    }
    sets
}

/// instrument, scope, `bucket_ns`.
pub(super) fn read_key(row: &PgRow) -> Result<IdSetKey, Failure> {
    let scope: &str = row.try_get(1)?;
    Ok(IdSetKey {
        instrument: read_parsed(row, 0, "instrument")?,
        scope: Arc::from(scope),
        bucket_ns: row.try_get(2)?,
    })
}
