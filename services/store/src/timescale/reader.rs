//! Reading bars and state.

use std::sync::Arc;

use market::{BarRow, Instrument, Venue};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{Postgres, query};
use tokio::sync::{Mutex, MutexGuard};

use super::bar_read_session::BarReadSession;
use super::column::{
    column_for_unnest, partition_as_integer, read_parsed_numeric, u64_as_numeric,
    u64_bits_as_bigint,
};
use super::connections::{CloseOnDropConnection, ConnectionPool, TimescaleServer};
use super::database_error::DatabaseError;
use super::excluded_ranges::{
    COUNT_EXCLUDED_SINCE, SELECT_EXCLUDED_RANGES, SELECT_EXCLUDED_RANGES_IN,
};
use super::id_set_key::{IdSetKeyColumns, read_id_set_key};
use super::{amendments, bar_reads, id_sets, row, topics};
use crate::key_bounds::{AFTER_ALL_KEYS, id_set_page_bounds, venue_key_bounds};
use crate::topic_generation::RegisteredTopicGeneration;
use crate::{
    BarKey, BarQuery, BarReader, DirtyMinuteRow, EpochEnds, ExcludedRange, IdRanges, IdRangesQuery,
    IdSegmentKey, IdSetKey, OffsetRun, PartitionProgress, StoreError, StoredIdSegment, StoredIdSet,
    SymbolQuery, SymbolRow, TickVerdict, VenueRow,
};

/// Reads bars and state from TimescaleDB: what is committed when a method is called, or, as a
/// snapshot, what was committed when the snapshot was taken.
///
/// While a snapshot exists, the server keeps every row that it can see, so drop it soon.
#[derive(Clone)]
pub struct TimescaleBarReader {
    connections: ConnectionSource,
}

/// Where a reader gets the connection for a statement.
#[derive(Clone)]
enum ConnectionSource {
    /// Each statement uses any connection of a pool.
    Pool(Arc<ConnectionPool>),
    /// Every statement uses one connection, which is inside a transaction; `None` after a read has
    /// failed.
    Snapshot(
        Arc<TimescaleServer>,
        Arc<Mutex<Option<CloseOnDropConnection>>>,
    ),
}

const SELECT_SYMBOL: &str = "SELECT instrument, watermark_ns, last_append_ns, closed_until_ns, \
    newest_minute_ns FROM symbols WHERE instrument = $1";

const SELECT_SYMBOLS: &str = "SELECT instrument, watermark_ns, last_append_ns, closed_until_ns, \
    newest_minute_ns FROM symbols WHERE instrument > $1 AND instrument < $2 ORDER BY instrument LIMIT $3";

const COUNT_SYMBOLS: &str = "SELECT count(*) FROM symbols";

const SELECT_VENUE: &str = "SELECT venue, scheme, scope, ties, lateness_ns, idle_ns, \
    nonpositive_prices, old_times, retired, declared_epoch, declared_offset FROM venues WHERE partition = 0 AND venue = $1 AND \
    (SELECT count(*) FROM venues WHERE venue = $1 AND partition < $2) = $2";

const SELECT_VENUE_IN_PARTITION: &str = "SELECT venue, scheme, scope, ties, lateness_ns, idle_ns, \
    nonpositive_prices, old_times, retired, declared_epoch, declared_offset FROM venues \
    WHERE partition = $2 AND venue = $1";

const SELECT_VENUES: &str = "SELECT venue, scheme, scope, ties, lateness_ns, idle_ns, \
    nonpositive_prices, old_times, retired, declared_epoch, declared_offset FROM venues WHERE partition = 0 ORDER BY venue";

const SELECT_PROGRESS: &str = "SELECT partition, epoch, next_offset, updates_epoch, \
    updates_offset, append_time_ns FROM partition_progress ORDER BY partition";

type PgQuery<'q> = Query<'q, Postgres, PgArguments>;

impl TimescaleBarReader {
    /// Returns a reader of what is committed when a method is called.
    pub(super) const fn from_pool(pool: Arc<ConnectionPool>) -> Self {
        Self {
            connections: ConnectionSource::Pool(pool),
        }
    }

    /// Returns a reader that sees only the snapshot of the transaction that is open on the
    /// connection.
    pub(super) fn from_snapshot(
        server: Arc<TimescaleServer>,
        connection: CloseOnDropConnection,
    ) -> Self {
        let connection = Arc::new(Mutex::new(Some(connection)));
        Self {
            connections: ConnectionSource::Snapshot(server, connection),
        }
    }

    /// Runs one statement, which sees one moment, and reads each of its rows.
    async fn read_rows<T>(
        &self,
        statement: PgQuery<'_>,
        read_row: impl Fn(&PgRow) -> Result<T, DatabaseError>,
    ) -> Result<Vec<T>, StoreError> {
        let (server, rows) = match &self.connections {
            ConnectionSource::Pool(pool) => {
                let mut connection = pool.acquire().await?;
                let rows = statement.fetch_all(connection.session()).await;
                let rows = connection.return_to_pool_if_ok(rows.map_err(DatabaseError::from))?;
                (pool.server(), rows)
            }
            ConnectionSource::Snapshot(server, shared) => {
                let (mut connection, mut shared) =
                    take_connection_of_snapshot(server, shared).await?;
                let rows = statement.fetch_all(connection.session()).await;
                let rows = server.convert_and_count_error(rows.map_err(DatabaseError::from))?;
                *shared = Some(connection);
                (server, rows)
            }
        };
        server.convert_and_count_error(rows.iter().map(read_row).collect())
    }

    /// Takes a connection to read bars with several statements.
    async fn begin_bar_read(&self) -> Result<BarReadSession<'_>, StoreError> {
        match &self.connections {
            ConnectionSource::Pool(pool) => Ok(BarReadSession::of_pool(pool.acquire().await?)),
            ConnectionSource::Snapshot(server, shared) => {
                let (connection, shared) = take_connection_of_snapshot(server, shared).await?;
                Ok(BarReadSession::of_snapshot(connection, shared))
            }
        }
    }

    fn server(&self) -> &TimescaleServer {
        match &self.connections {
            ConnectionSource::Pool(pool) => pool.server(),
            ConnectionSource::Snapshot(server, _) => server,
        }
    }

    /// Converts an error into one that names the database.
    fn convert_and_count_error<T>(
        &self,
        result: Result<T, DatabaseError>,
    ) -> Result<T, StoreError> {
        self.server().convert_and_count_error(result)
    }
}

/// Takes the connection out of a snapshot, so that a read that fails or is cancelled ends the
/// snapshot. Also returns where a read that succeeds puts it back.
async fn take_connection_of_snapshot<'a>(
    server: &TimescaleServer,
    shared: &'a Mutex<Option<CloseOnDropConnection>>,
) -> Result<
    (
        CloseOnDropConnection,
        MutexGuard<'a, Option<CloseOnDropConnection>>,
    ),
    StoreError,
> {
    let mut shared = shared.lock().await;
    let connection = shared.take().ok_or_else(|| {
        DatabaseError::Unavailable("the snapshot ended with an earlier error".to_owned())
    });
    Ok((server.convert_and_count_error(connection)?, shared))
}

impl BarReader for TimescaleBarReader {
    async fn all_partition_progress(&self) -> Result<Vec<PartitionProgress>, StoreError> {
        self.read_rows(query(SELECT_PROGRESS), row::read_progress)
            .await
    }

    async fn bars(&self, keys: &[BarKey]) -> Result<Vec<Option<BarRow>>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut session = self.begin_bar_read().await?;
        let bars =
            bar_reads::read_bars_by_keys(&mut session, keys, self.server().config().max_chunks())
                .await;
        session.end(bars).await
    }

    async fn bar_range(&self, query: &BarQuery) -> Result<Vec<BarRow>, StoreError> {
        let mut session = self.begin_bar_read().await?;
        let bars =
            bar_reads::read_bar_range(&mut session, query, self.server().config().max_chunks())
                .await;
        session.end(bars).await
    }

    async fn id_sets(&self, keys: &[IdSetKey]) -> Result<Vec<StoredIdSet>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let columns = IdSetKeyColumns::from_keys(keys.iter());
        let select = query(id_sets::SELECT_ID_SETS)
            .bind(columns.instruments)
            .bind(columns.scopes)
            .bind(columns.buckets_ns);
        let parts = self.read_rows(select, id_sets::read_id_set_part).await?;
        Ok(id_sets::assemble_id_sets(keys.len(), parts))
    }

    async fn id_segments(&self, keys: &[IdSegmentKey]) -> Result<Vec<StoredIdSegment>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let columns = IdSetKeyColumns::from_keys(keys.iter().map(|key| &key.set));
        let starts = keys.iter().map(|key| key.start.to_bytes());
        let select = query(id_sets::SELECT_ID_CHUNKS)
            .bind(columns.instruments)
            .bind(columns.scopes)
            .bind(columns.buckets_ns)
            .bind(starts.collect::<Vec<_>>());
        let chunks = self.read_rows(select, id_sets::read_id_chunk).await?;
        self.convert_and_count_error(id_sets::assemble_id_segments(keys, chunks))
    }

    async fn id_ranges(
        &self,
        query: &IdRangesQuery,
    ) -> Result<Vec<(IdSetKey, IdRanges)>, StoreError> {
        let (after, ceiling) = id_set_page_bounds(query);
        let select = sqlx::query(id_sets::SELECT_ID_RANGES)
            .bind(after.0)
            .bind(after.1)
            .bind(after.2)
            .bind(ceiling)
            .bind(i64::from(query.limit));
        let ranges = self.read_rows(select, |row| {
            let first = read_parsed_numeric(row, 3, "first")?;
            let last = read_parsed_numeric(row, 4, "last")?;
            Ok((read_id_set_key(row)?, (first, last)))
        });
        let mut sets: Vec<(IdSetKey, IdRanges)> = Vec::new();
        for (key, range) in ranges.await? {
            match sets.last_mut() {
                Some((last_key, ranges)) if *last_key == key => ranges.push(range),
                _ => sets.push((key, vec![range])),
            }
        }
        Ok(sets)
    }

    async fn symbol(&self, instrument: &Instrument) -> Result<Option<SymbolRow>, StoreError> {
        let select = query(SELECT_SYMBOL).bind(instrument.key());
        Ok(self.read_rows(select, row::read_symbol).await?.pop())
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
        let select = sqlx::query(SELECT_SYMBOLS)
            .bind(after)
            .bind(ceiling)
            .bind(i64::from(query.limit));
        self.read_rows(select, row::read_symbol).await
    }

    async fn symbol_count(&self) -> Result<usize, StoreError> {
        let counts = self
            .read_rows(query(COUNT_SYMBOLS), row::read_count)
            .await?;
        Ok(counts.first().copied().unwrap_or_default())
    }

    async fn venue_settings_if_in_every_partition(
        &self,
        venue: &Venue,
        partitions: u32,
    ) -> Result<Option<VenueRow>, StoreError> {
        let select = query(SELECT_VENUE)
            .bind(venue.as_str())
            .bind(i64::from(partitions));
        Ok(self.read_rows(select, row::read_venue).await?.pop())
    }

    async fn venue_settings_in_partition(
        &self,
        venue: &Venue,
        partition: u32,
    ) -> Result<Option<VenueRow>, StoreError> {
        let select = query(SELECT_VENUE_IN_PARTITION)
            .bind(venue.as_str())
            .bind(self.convert_and_count_error(partition_as_integer(partition))?);
        Ok(self.read_rows(select, row::read_venue).await?.pop())
    }

    async fn venues(&self) -> Result<Vec<VenueRow>, StoreError> {
        self.read_rows(query(SELECT_VENUES), row::read_venue).await
    }

    async fn excluded_ranges(
        &self,
        partition: u32,
        epoch: u64,
        first_offset: u64,
        end_offset: u64,
    ) -> Result<Vec<ExcludedRange>, StoreError> {
        let select = query(SELECT_EXCLUDED_RANGES)
            .bind(self.convert_and_count_error(partition_as_integer(partition))?)
            .bind(u64_bits_as_bigint(epoch))
            .bind(u64_as_numeric(first_offset))
            .bind(u64_as_numeric(end_offset));
        self.read_rows(select, row::read_excluded_range).await
    }

    async fn count_excluded_ticks_since(
        &self,
        partition: u32,
        verdict: TickVerdict,
        since_ns: i64,
    ) -> Result<u64, StoreError> {
        let select = query(COUNT_EXCLUDED_SINCE)
            .bind(self.convert_and_count_error(partition_as_integer(partition))?)
            .bind(verdict.code())
            .bind(since_ns);
        let read_count = |row: &PgRow| read_parsed_numeric(row, 0, "count");
        let count = self.read_rows(select, read_count).await?.pop();
        Ok(count.unwrap_or(0))
    }

    async fn excluded_ranges_in(
        &self,
        partition: u32,
        runs: &[OffsetRun],
    ) -> Result<Vec<ExcludedRange>, StoreError> {
        let select = query(SELECT_EXCLUDED_RANGES_IN)
            .bind(self.convert_and_count_error(partition_as_integer(partition))?)
            .bind(column_for_unnest(runs, |run| u64_bits_as_bigint(run.epoch)))
            .bind(column_for_unnest(runs, |run| u64_as_numeric(run.first)))
            .bind(column_for_unnest(runs, |run| u64_as_numeric(run.last)));
        let mut ranges = self.read_rows(select, row::read_excluded_range).await?;
        ranges.sort_by_key(|range| (range.epoch, range.first_offset));
        Ok(ranges)
    }

    async fn epoch_ends(&self, partition: u32) -> Result<EpochEnds, StoreError> {
        let select = query(topics::SELECT_EPOCH_ENDS)
            .bind(self.convert_and_count_error(partition_as_integer(partition))?);
        let ends = self.read_rows(select, topics::read_epoch_end).await?;
        Ok(EpochEnds::new(ends))
    }

    async fn dirty_minutes(&self, partition: u32) -> Result<Vec<DirtyMinuteRow>, StoreError> {
        let select = query(amendments::SELECT_DIRTY_MINUTES)
            .bind(self.convert_and_count_error(partition_as_integer(partition))?);
        self.read_rows(select, amendments::read_dirty_minute).await
    }

    async fn registered_topic_generations(
        &self,
        topic: &str,
    ) -> Result<Vec<RegisteredTopicGeneration>, StoreError> {
        let select = query(topics::SELECT_TOPICS).bind(topic);
        self.read_rows(select, topics::read_registered_generation)
            .await
    }
}
