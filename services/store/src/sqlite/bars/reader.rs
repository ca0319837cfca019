//! Reading bars and state.

use std::sync::{Arc, LazyLock};

use market::{BarRow, Instrument, Venue, VenueSettings};
use sqlx::{Row, query};

use super::{amendments, row, topics};
use crate::id_chunk;
use crate::key_bounds::{PAST_ALL, set_bounds, venue_bounds};
use crate::sqlite::bulk::{Bulk, statement};
use crate::sqlite::column::{read_parsed, read_unsigned, unsigned};
use crate::sqlite::failure::Failure;
use crate::sqlite::readers::Readers;
use crate::{
    BarKey, BarQuery, BarReader, DirtyMinuteRow, ExcludedRange, IdRangeQuery, IdRanges, IdSetKey,
    IdSetRow, PartitionProgress, StoreError, SymbolQuery, SymbolRow, VenueRow,
};

/// Reads bars and state from a SQLite file: what is committed at each call, or, as a snapshot,
/// what was when it was taken.
///
/// While a snapshot lives, SQLite's write-ahead log grows: let go of it.
#[derive(Clone)]
pub struct SqliteBarReader {
    readers: Arc<Readers>,
}

impl SqliteBarReader {
    pub(super) fn new(readers: Readers) -> Self {
        Self {
            readers: Arc::new(readers),
        }
    }

    pub(super) fn readers(&self) -> &Readers {
        &self.readers
    }
}

/// Bars by name. `CROSS JOIN` keeps the names outside, so that each is a search by key
/// (<https://www.sqlite.org/optoverview.html#manual_control_of_query_plans_using_cross_join>).
pub(super) static BARS: LazyLock<Bulk> = LazyLock::new(|| {
    let arm = |table| {
        format!(
            "SELECT place, {table}.interval, {table}.start_ns, body FROM names CROSS JOIN {table} \
             ON {table}.instrument = names.instrument AND {table}.interval = names.interval \
             AND {table}.start_ns = names.start_ns"
        )
    };
    let tail = format!(") {} UNION ALL {}", arm("open_bars"), arm("bars"));
    Bulk::new(
        "WITH names (place, instrument, interval, start_ns) AS MATERIALIZED (",
        4,
        &tail,
    )
});

pub(super) const OLDEST_BARS: &str = "SELECT interval, start_ns, body FROM bars \
    WHERE instrument = ?1 AND interval = ?2 AND start_ns >= ?3 AND start_ns < ?4 \
    UNION ALL SELECT interval, start_ns, body FROM open_bars \
    WHERE instrument = ?1 AND interval = ?2 AND start_ns >= ?3 AND start_ns < ?4 \
    ORDER BY start_ns LIMIT ?5";

pub(super) const NEWEST_BARS: &str = "SELECT interval, start_ns, body FROM bars \
    WHERE instrument = ?1 AND interval = ?2 AND start_ns >= ?3 AND start_ns < ?4 \
    UNION ALL SELECT interval, start_ns, body FROM open_bars \
    WHERE instrument = ?1 AND interval = ?2 AND start_ns >= ?3 AND start_ns < ?4 \
    ORDER BY start_ns DESC LIMIT ?5";

/// One statement, so that ranges and exact ids are of one moment.
pub(super) const IDS: &str = "SELECT 0 AS kind, last_append_ns AS number, 0 AS last, NULL AS body \
    FROM id_sets WHERE instrument = ?1 AND scope = ?2 AND bucket_ns = ?3 \
    UNION ALL SELECT 1, first, last, NULL \
    FROM id_ranges WHERE instrument = ?1 AND scope = ?2 AND bucket_ns = ?3 \
    UNION ALL SELECT 2, chunk, 0, body \
    FROM id_chunks WHERE instrument = ?1 AND scope = ?2 AND bucket_ns = ?3 \
    ORDER BY kind, number";

pub(super) const ID_RANGES: &str = "SELECT r.instrument, r.scope, r.bucket_ns, r.first, r.last FROM \
    (SELECT instrument, scope, bucket_ns FROM id_sets AS s \
     WHERE instrument < ?4 AND (instrument, scope, bucket_ns) > (?1, ?2, ?3) \
     AND EXISTS (SELECT 1 FROM id_ranges AS e WHERE e.instrument = s.instrument \
                 AND e.scope = s.scope AND e.bucket_ns = s.bucket_ns) \
     ORDER BY instrument, scope, bucket_ns LIMIT ?5) AS s \
    CROSS JOIN id_ranges AS r ON r.instrument = s.instrument \
    AND r.scope = s.scope AND r.bucket_ns = s.bucket_ns \
    ORDER BY r.instrument, r.scope, r.bucket_ns, r.first";

pub(super) const SYMBOL: &str = "SELECT instrument, watermark_ns, last_append_ns, closed_until_ns \
    FROM symbols WHERE instrument = ?";

pub(super) const SYMBOLS: &str = "SELECT instrument, watermark_ns, last_append_ns, closed_until_ns \
    FROM symbols WHERE instrument > ? AND instrument < ? ORDER BY instrument LIMIT ?";

const VENUE: &str = "SELECT venue, scheme, scope, lateness_ns, idle_ns, nonpositive_prices \
    FROM venues WHERE partition = 0 AND venue = ?1 AND \
    (SELECT count(*) FROM venues WHERE venue = ?1 AND partition < ?2) = ?2";

const VENUES: &str = "SELECT venue, scheme, scope, lateness_ns, idle_ns, nonpositive_prices \
    FROM venues WHERE partition = 0 ORDER BY venue";

const PROGRESS: &str = "SELECT partition, epoch, next_offset, updates_epoch, updates_offset, \
    append_time_ns FROM partition_progress ORDER BY partition";

/// Ranges never overlap, so the first that can reach into the query is the last to begin at or
/// before it.
pub(super) const EXCLUDED_RANGES: &str = "SELECT epoch, first_offset, end_offset, verdict, \
    append_time_ns FROM excluded_ranges \
    WHERE partition = ?1 AND epoch = ?2 AND first_offset < ?4 AND end_offset > ?3 \
    AND first_offset >= coalesce((SELECT max(first_offset) FROM excluded_ranges \
        WHERE partition = ?1 AND epoch = ?2 AND first_offset <= ?3), ?3) ORDER BY first_offset";

impl BarReader for SqliteBarReader {
    async fn partition_progress(&self) -> Result<Vec<PartitionProgress>, StoreError> {
        self.readers.read(query(PROGRESS), row::progress).await
    }

    async fn bars(&self, keys: &[BarKey]) -> Result<Vec<Option<BarRow>>, StoreError> {
        let mut bars = Vec::with_capacity(keys.len());
        for (sql, keys) in BARS.portions(keys) {
            let bound = keys
                .iter()
                .zip(0_i64..)
                .fold(statement(sql), |bound, (key, place)| {
                    bound
                        .bind(place)
                        .bind(key.instrument.key().to_owned())
                        .bind(row::seconds(key.window))
                        .bind(key.window.start_ns)
                });
            let found = self.readers.read(bound, |row| {
                let place: u32 = row.try_get(0)?;
                Ok((place as usize, row::bar(row, 3)?))
            });
            let mut places = vec![None; keys.len()];
            for (place, bar) in found.await? {
                places[place] = Some(bar);
            }
            bars.append(&mut places);
        }
        Ok(bars)
    }

    async fn bar_range(&self, query: &BarQuery) -> Result<Vec<BarRow>, StoreError> {
        let sql = if query.keep_newest {
            NEWEST_BARS
        } else {
            OLDEST_BARS
        };
        let bound = sqlx::query(sql)
            .bind(query.instrument.key())
            .bind(query.interval.length_ns() / market::SECOND_NS)
            .bind(query.start_ns)
            .bind(query.end_ns)
            .bind(query.limit);
        let mut bars = self.readers.read(bound, |row| row::bar(row, 2)).await?;
        if query.keep_newest {
            bars.reverse();
        }
        Ok(bars)
    }

    async fn id_sets(&self, keys: &[IdSetKey]) -> Result<Vec<IdSetRow>, StoreError> {
        let mut sets = Vec::with_capacity(keys.len());
        for key in keys {
            let bound = query(IDS)
                .bind(key.instrument.key())
                .bind(Arc::clone(&key.scope))
                .bind(key.bucket_ns);
            let mut set = IdSetRow::default();
            for part in self.readers.read(bound, read_id_part).await? {
                match part {
                    IdPart::Set(last_append_ns) => set.last_append_ns = last_append_ns,
                    IdPart::Range(range) => set.ranges.push(range),
                    IdPart::Chunk(mut ids) => set.exact.append(&mut ids),
                }
            }
            sets.push(set);
        }
        Ok(sets)
    }

    async fn id_ranges(
        &self,
        query: &IdRangeQuery,
    ) -> Result<Vec<(IdSetKey, IdRanges)>, StoreError> {
        let (after, ceiling) = set_bounds(query);
        let bound = sqlx::query(ID_RANGES)
            .bind(after.0)
            .bind(after.1)
            .bind(after.2)
            .bind(ceiling)
            .bind(query.limit);
        let ranges = self.readers.read(bound, |row| {
            let key = IdSetKey {
                instrument: read_parsed(row, 0, "instrument")?,
                scope: row.try_get::<&str, _>(1)?.into(),
                bucket_ns: row.try_get(2)?,
            };
            Ok((key, (read_unsigned(row, 3)?, read_unsigned(row, 4)?)))
        });
        let mut sets: Vec<(IdSetKey, IdRanges)> = Vec::new();
        for (key, range) in ranges.await? {
            match sets.last_mut() {
                Some((last, ranges)) if *last == key => ranges.push(range),
                _ => sets.push((key, vec![range])),
            }
        }
        Ok(sets)
    }

    async fn symbol(&self, instrument: &Instrument) -> Result<Option<SymbolRow>, StoreError> {
        let bound = query(SYMBOL).bind(instrument.key());
        Ok(self.readers.read(bound, row::symbol).await?.pop())
    }

    async fn symbols(&self, query: &SymbolQuery) -> Result<Vec<SymbolRow>, StoreError> {
        let (floor, ceiling) = match &query.venue {
            Some(venue) => venue_bounds(venue),
            None => (String::new(), PAST_ALL.to_owned()),
        };
        let after = query.after.as_deref().unwrap_or("").max(floor.as_str());
        let bound = sqlx::query(SYMBOLS)
            .bind(after)
            .bind(ceiling)
            .bind(query.limit);
        self.readers.read(bound, row::symbol).await
    }

    async fn venue_settings(
        &self,
        venue: &Venue,
        partitions: u32,
    ) -> Result<Option<VenueSettings>, StoreError> {
        let bound = query(VENUE).bind(venue.as_str()).bind(partitions);
        let found = self.readers.read(bound, row::venue).await?.pop();
        Ok(found.map(|row| row.settings))
    }

    async fn venues(&self) -> Result<Vec<VenueRow>, StoreError> {
        self.readers.read(query(VENUES), row::venue).await
    }

    async fn excluded_ranges(
        &self,
        partition: u32,
        epoch: u64,
        first: u64,
        end: u64,
    ) -> Result<Vec<ExcludedRange>, StoreError> {
        let bound = query(EXCLUDED_RANGES)
            .bind(partition)
            .bind(unsigned(epoch))
            .bind(unsigned(first))
            .bind(unsigned(end));
        self.readers.read(bound, row::excluded_range).await
    }

    async fn dirty_minutes(&self, partition: u32) -> Result<Vec<DirtyMinuteRow>, StoreError> {
        let bound = query(amendments::DIRTY_MINUTES).bind(partition);
        self.readers
            .read(bound, amendments::read_dirty_minute)
            .await
    }

    async fn topic_epoch(&self, topic: &str, topic_id: &str) -> Result<Option<u64>, StoreError> {
        let bound = query(topics::EPOCH)
            .bind(topic.to_owned())
            .bind(topic_id.to_owned());
        let read = self.readers.read(bound, |row| read_unsigned(row, 0));
        Ok(read.await?.pop())
    }
}

/// A row of [`IDS`].
enum IdPart {
    Set(i64),
    Range((u64, u64)),
    Chunk(Vec<market::TradeId>),
}

fn read_id_part(row: &sqlx::sqlite::SqliteRow) -> Result<IdPart, Failure> {
    Ok(match row.try_get::<i64, _>(0)? {
        0 => IdPart::Set(row.try_get(1)?),
        1 => IdPart::Range((read_unsigned(row, 1)?, read_unsigned(row, 2)?)),
        _ => {
            let mut exact = Vec::new();
            id_chunk::decode_ids(row.try_get(3)?, &mut exact)?;
            IdPart::Chunk(exact)
        }
    })
}
