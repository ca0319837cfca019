//! Reading bars and state.

use std::sync::{Arc, LazyLock, Mutex};

use market::{BarRow, Instrument, Venue};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, query};

use super::excluded_ranges::{
    COUNT_EXCLUDED_SINCE, SELECT_EXCLUDED_RANGES, SELECT_EXCLUDED_RANGES_IN, offset_runs_json,
};
use super::id_sets;
use super::{amendments, row, topics};
use crate::bar_store::{BarQuery, BarReader, IdRangesQuery, SymbolQuery};
use crate::epoch_ends::EpochEnds;
use crate::error::StoreError;
use crate::id_chunk::IdSegmentAssembler;
use crate::key_bounds::{AFTER_ALL_KEYS, id_set_page_bounds, venue_key_bounds};
use crate::offset_run::OffsetRun;
use crate::sqlite::column::{read_ordered_u64, read_parsed_text, u64_as_ordered_column};
use crate::sqlite::database_error::DatabaseError;
use crate::sqlite::reader_pool::ReaderPool;
use crate::sqlite::row_batches::{BatchedStatement, query_before_binding};
use crate::state::{
    BarKey, DirtyMinuteRow, ExcludedRange, IdRanges, IdSegmentKey, IdSetKey, PartitionProgress,
    StoredIdSegment, StoredIdSet, SymbolRow, TickVerdict, VenueRow,
};
use crate::topic_generation::RegisteredTopicGeneration;

/// Reads bars and state from a SQLite file: what is committed at each call, or, for a snapshot,
/// what was committed when it was created.
///
/// As long as a snapshot exists, SQLite's write-ahead log grows: drop it soon.
#[derive(Clone)]
pub struct SqliteBarReader {
    readers: Arc<ReaderPool>,
}

impl SqliteBarReader {
    pub(super) fn new(readers: ReaderPool) -> Self {
        Self {
            readers: Arc::new(readers),
        }
    }

    pub(super) fn readers(&self) -> &ReaderPool {
        &self.readers
    }
}

/// Selects bars by their keys. `CROSS JOIN` makes the keys the outer loop, so that each bar is
/// found by its key
/// (<https://www.sqlite.org/optoverview.html#manual_control_of_query_plans_using_cross_join>).
pub(super) static SELECT_BARS: LazyLock<BatchedStatement> = LazyLock::new(|| {
    let arm = |table| {
        format!(
            "SELECT key_index, {table}.interval, {table}.start_ns, body FROM keys CROSS JOIN {table} \
             ON {table}.instrument = keys.instrument AND {table}.interval = keys.interval \
             AND {table}.start_ns = keys.start_ns"
        )
    };
    let tail = format!(") {} UNION ALL {}", arm("open_bars"), arm("bars"));
    BatchedStatement::new(
        "WITH keys (key_index, instrument, interval, start_ns) AS MATERIALIZED (",
        4,
        &tail,
    )
});

pub(super) const SELECT_OLDEST_BARS: &str = "SELECT interval, start_ns, body FROM bars \
    WHERE instrument = ?1 AND interval = ?2 AND start_ns >= ?3 AND start_ns < ?4 \
    UNION ALL SELECT interval, start_ns, body FROM open_bars \
    WHERE instrument = ?1 AND interval = ?2 AND start_ns >= ?3 AND start_ns < ?4 \
    ORDER BY start_ns LIMIT ?5";

pub(super) const SELECT_NEWEST_BARS: &str = "SELECT interval, start_ns, body FROM bars \
    WHERE instrument = ?1 AND interval = ?2 AND start_ns >= ?3 AND start_ns < ?4 \
    UNION ALL SELECT interval, start_ns, body FROM open_bars \
    WHERE instrument = ?1 AND interval = ?2 AND start_ns >= ?3 AND start_ns < ?4 \
    ORDER BY start_ns DESC LIMIT ?5";

pub(super) const SELECT_ID_RANGES: &str = "SELECT r.instrument, r.scope, r.bucket_ns, r.first, r.last FROM \
    (SELECT instrument, scope, bucket_ns FROM id_sets AS s \
     WHERE instrument < ?4 AND (instrument, scope, bucket_ns) > (?1, ?2, ?3) \
     AND EXISTS (SELECT 1 FROM id_ranges AS e WHERE e.instrument = s.instrument \
                 AND e.scope = s.scope AND e.bucket_ns = s.bucket_ns) \
     ORDER BY instrument, scope, bucket_ns LIMIT ?5) AS s \
    CROSS JOIN id_ranges AS r ON r.instrument = s.instrument \
    AND r.scope = s.scope AND r.bucket_ns = s.bucket_ns \
    ORDER BY r.instrument, r.scope, r.bucket_ns, r.first";

pub(super) const SELECT_SYMBOL: &str = "SELECT instrument, watermark_ns, last_append_ns, closed_until_ns, \
    newest_minute_ns FROM symbols WHERE instrument = ?";

pub(super) const SELECT_SYMBOLS: &str = "SELECT instrument, watermark_ns, last_append_ns, closed_until_ns, \
    newest_minute_ns FROM symbols WHERE instrument > ? AND instrument < ? ORDER BY instrument LIMIT ?";

const COUNT_SYMBOLS: &str = "SELECT count(*) FROM symbols";

const SELECT_VENUE: &str = "SELECT venue, scheme, scope, ties, lateness_ns, idle_ns, \
    nonpositive_prices, old_times, retired, declared_epoch, declared_offset FROM venues WHERE partition = 0 AND venue = ?1 AND \
    (SELECT count(*) FROM venues WHERE venue = ?1 AND partition < ?2) = ?2";

const SELECT_VENUE_IN_PARTITION: &str = "SELECT venue, scheme, scope, ties, lateness_ns, idle_ns, \
    nonpositive_prices, old_times, retired, declared_epoch, declared_offset FROM venues \
    WHERE partition = ?2 AND venue = ?1";

const SELECT_VENUES: &str = "SELECT venue, scheme, scope, ties, lateness_ns, idle_ns, \
    nonpositive_prices, old_times, retired, declared_epoch, declared_offset FROM venues WHERE partition = 0 ORDER BY venue";

const SELECT_PROGRESS: &str = "SELECT partition, epoch, next_offset, updates_epoch, updates_offset, \
    append_time_ns FROM partition_progress ORDER BY partition";

impl BarReader for SqliteBarReader {
    async fn all_partition_progress(&self) -> Result<Vec<PartitionProgress>, StoreError> {
        self.readers
            .read(query(SELECT_PROGRESS), row::read_progress)
            .await
    }

    async fn bars(&self, keys: &[BarKey]) -> Result<Vec<Option<BarRow>>, StoreError> {
        let mut bars = Vec::with_capacity(keys.len());
        for (sql, keys) in SELECT_BARS.batches(keys) {
            let bound = keys.iter().zip(0_i64..).fold(
                query_before_binding(sql),
                |bound, (key, key_index)| {
                    bound
                        .bind(key_index)
                        .bind(key.instrument.key().to_owned())
                        .bind(row::interval_seconds(key.window))
                        .bind(key.window.start_ns)
                },
            );
            let found = self.readers.read(bound, |row| {
                let key_index: u32 = row.try_get(0)?;
                Ok((key_index as usize, row::read_bar(row, 3)?))
            });
            let mut found_bars = vec![None; keys.len()];
            for (key_index, bar) in found.await? {
                found_bars[key_index] = Some(bar);
            }
            bars.append(&mut found_bars);
        }
        Ok(bars)
    }

    async fn bar_range(&self, query: &BarQuery) -> Result<Vec<BarRow>, StoreError> {
        let sql = if query.keep_newest {
            SELECT_NEWEST_BARS
        } else {
            SELECT_OLDEST_BARS
        };
        let bound = sqlx::query(sql)
            .bind(query.instrument.key())
            .bind(query.interval.length_ns() / market::SECOND_NS)
            .bind(query.start_ns)
            .bind(query.end_ns)
            .bind(query.limit);
        let mut bars = self
            .readers
            .read(bound, |row| row::read_bar(row, 2))
            .await?;
        if query.keep_newest {
            bars.reverse();
        }
        Ok(bars)
    }

    async fn id_sets(&self, keys: &[IdSetKey]) -> Result<Vec<StoredIdSet>, StoreError> {
        let mut sets = Vec::with_capacity(keys.len());
        for key in keys {
            let bound = query(id_sets::SELECT_ID_SETS)
                .bind(key.instrument.key())
                .bind(Arc::clone(&key.scope))
                .bind(key.bucket_ns);
            let mut set = StoredIdSet::default();
            for part in self.readers.read(bound, id_sets::read_id_set_part).await? {
                set.add_part(&part);
            }
            set.segments.sort_unstable_by_key(|segment| segment.start);
            sets.push(set);
        }
        Ok(sets)
    }

    async fn id_segments(&self, keys: &[IdSegmentKey]) -> Result<Vec<StoredIdSegment>, StoreError> {
        let mut segments = Vec::with_capacity(keys.len());
        for key in keys {
            let bound = query(id_sets::SELECT_ID_CHUNKS)
                .bind(key.set.instrument.key())
                .bind(Arc::clone(&key.set.scope))
                .bind(key.set.bucket_ns)
                .bind(key.start.to_bytes());
            let assembler = Mutex::new(IdSegmentAssembler::new(key.start));
            self.readers
                .read(bound, |row| {
                    let mut assembler = assembler.lock().expect("adding a chunk does not panic");
                    Ok(assembler.add_chunk(row.try_get(0)?, row.try_get(1)?)?)
                })
                .await?;
            let assembler = assembler
                .into_inner()
                .expect("adding a chunk does not panic");
            segments.push(assembler.into_stored_segment());
        }
        Ok(segments)
    }

    async fn id_ranges(
        &self,
        query: &IdRangesQuery,
    ) -> Result<Vec<(IdSetKey, IdRanges)>, StoreError> {
        let (after, ceiling) = id_set_page_bounds(query);
        let bound = sqlx::query(SELECT_ID_RANGES)
            .bind(after.0)
            .bind(after.1)
            .bind(after.2)
            .bind(ceiling)
            .bind(query.limit);
        let ranges = self.readers.read(bound, |row| {
            let key = IdSetKey {
                instrument: read_parsed_text(row, 0, "instrument")?,
                scope: row.try_get::<&str, _>(1)?.into(),
                bucket_ns: row.try_get(2)?,
            };
            Ok((key, (read_ordered_u64(row, 3)?, read_ordered_u64(row, 4)?)))
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
        let bound = query(SELECT_SYMBOL).bind(instrument.key());
        Ok(self.readers.read(bound, row::read_symbol).await?.pop())
    }

    async fn symbols(&self, query: &SymbolQuery) -> Result<Vec<SymbolRow>, StoreError> {
        let (floor, ceiling) = match &query.venue {
            Some(venue) => venue_key_bounds(venue),
            None => (String::new(), AFTER_ALL_KEYS.to_owned()),
        };
        let after = query
            .after
            .as_ref()
            .map_or("", Instrument::key)
            .max(floor.as_str());
        let bound = sqlx::query(SELECT_SYMBOLS)
            .bind(after)
            .bind(ceiling)
            .bind(query.limit);
        self.readers.read(bound, row::read_symbol).await
    }

    async fn symbol_count(&self) -> Result<usize, StoreError> {
        let counts = self.readers.read(query(COUNT_SYMBOLS), row::read_count);
        Ok(counts.await?.first().copied().unwrap_or_default())
    }

    async fn venue_settings_if_in_every_partition(
        &self,
        venue: &Venue,
        partitions: u32,
    ) -> Result<Option<VenueRow>, StoreError> {
        let bound = query(SELECT_VENUE).bind(venue.as_str()).bind(partitions);
        Ok(self.readers.read(bound, row::read_venue).await?.pop())
    }

    async fn venue_settings_in_partition(
        &self,
        venue: &Venue,
        partition: u32,
    ) -> Result<Option<VenueRow>, StoreError> {
        let bound = query(SELECT_VENUE_IN_PARTITION)
            .bind(venue.as_str())
            .bind(partition);
        Ok(self.readers.read(bound, row::read_venue).await?.pop())
    }

    async fn venues(&self) -> Result<Vec<VenueRow>, StoreError> {
        self.readers
            .read(query(SELECT_VENUES), row::read_venue)
            .await
    }

    async fn excluded_ranges(
        &self,
        partition: u32,
        epoch: u64,
        first_offset: u64,
        end_offset: u64,
    ) -> Result<Vec<ExcludedRange>, StoreError> {
        let bound = query(SELECT_EXCLUDED_RANGES)
            .bind(partition)
            .bind(u64_as_ordered_column(epoch))
            .bind(u64_as_ordered_column(first_offset))
            .bind(u64_as_ordered_column(end_offset));
        self.readers.read(bound, row::read_excluded_range).await
    }

    async fn count_excluded_ticks_since(
        &self,
        partition: u32,
        verdict: TickVerdict,
        since_ns: i64,
    ) -> Result<u64, StoreError> {
        let bound = query(COUNT_EXCLUDED_SINCE)
            .bind(partition)
            .bind(verdict.code())
            .bind(since_ns);
        let read_count = |row: &SqliteRow| {
            let count: i64 = row.try_get(0)?;
            u64::try_from(count).map_err(|_| DatabaseError::malformed_value("count", count))
        };
        Ok(self
            .readers
            .read(bound, read_count)
            .await?
            .pop()
            .unwrap_or(0))
    }

    async fn excluded_ranges_in(
        &self,
        partition: u32,
        runs: &[OffsetRun],
    ) -> Result<Vec<ExcludedRange>, StoreError> {
        let bound = query(SELECT_EXCLUDED_RANGES_IN)
            .bind(partition)
            .bind(offset_runs_json(runs));
        self.readers.read(bound, row::read_excluded_range).await
    }

    async fn epoch_ends(&self, partition: u32) -> Result<EpochEnds, StoreError> {
        let bound = query(topics::SELECT_EPOCH_ENDS).bind(partition);
        let ends = self.readers.read(bound, topics::read_epoch_end).await?;
        Ok(EpochEnds::new(ends))
    }

    async fn dirty_minutes(&self, partition: u32) -> Result<Vec<DirtyMinuteRow>, StoreError> {
        let bound = query(amendments::SELECT_DIRTY_MINUTES).bind(partition);
        self.readers
            .read(bound, amendments::read_dirty_minute)
            .await
    }

    async fn registered_topic_generations(
        &self,
        topic: &str,
    ) -> Result<Vec<RegisteredTopicGeneration>, StoreError> {
        let bound = query(topics::SELECT_TOPICS).bind(topic.to_owned());
        self.readers
            .read(bound, topics::read_registered_generation)
            .await
    }
}
