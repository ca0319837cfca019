//! Reading bars and state.

use std::sync::{Arc, LazyLock};

use market::{BarRow, Instrument, Venue, VenueSettings};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Postgres, Row, query};
use tokio::sync::Mutex;

use super::bar_columns::{VALUES, seconds};
use super::column::{Instant, bits, number, partition, read_bits, read_number};
use super::connections::{Connections, Loan, Server};
use super::failure::Failure;
use super::{amendments, bar_columns, ids, row, topics};
use crate::key_bounds::{PAST_ALL, set_bounds, venue_bounds};
use crate::{
    BarKey, BarQuery, BarReader, DirtyMinuteRow, ExcludedRange, IdRangeQuery, IdRanges, IdSetKey,
    IdSetRow, PartitionProgress, StoreError, SymbolQuery, SymbolRow, VenueRow,
};

/// Reads bars and state from TimescaleDB: what is committed at each call, or, as a snapshot,
/// what was when it was taken.
///
/// While a snapshot lives, the server keeps every row that it can see: let go of it.
#[derive(Clone)]
pub struct TimescaleBarReader {
    source: Source,
}

#[derive(Clone)]
enum Source {
    Committed(Arc<Connections>),
    /// The one connection, inside a transaction; nothing once a read has failed.
    Pinned(Arc<Server>, Arc<Mutex<Option<Loan>>>),
}

/// Bars by name; with the times, only the chunks between them are looked at.
static BARS: LazyLock<String> = LazyLock::new(|| {
    let arm = |table, closed| {
        let values = VALUES.map(|column| format!("b.{column}")).join(", ");
        format!(
            "SELECT n.place, b.interval_s, b.start, {values}, {closed} FROM names AS n \
             JOIN {table} AS b ON b.venue = n.venue AND b.symbol = n.symbol \
             AND b.interval_s = n.interval_s AND b.start = n.start \
             WHERE b.start >= $5 AND b.start <= $6"
        )
    };
    format!(
        "WITH names AS MATERIALIZED (SELECT * FROM unnest($1, $2, $3, $4) WITH ORDINALITY \
         AS given (venue, symbol, interval_s, start, place)) {} UNION ALL {}",
        arm("open_bars", "FALSE"),
        arm("bars", "TRUE")
    )
});

static OLDEST_BARS: LazyLock<String> = LazyLock::new(|| range("ASC"));
static NEWEST_BARS: LazyLock<String> = LazyLock::new(|| range("DESC"));

/// Each arm stops on its own, so no chunk is read past what is asked for.
fn range(order: &str) -> String {
    let values = VALUES.join(", ");
    let arm = |table, closed| {
        format!(
            "(SELECT interval_s, start, {values}, {closed} AS closed FROM {table} \
             WHERE venue = $1 AND symbol = $2 AND interval_s = $3 AND start >= $4 AND start < $5 \
             ORDER BY start {order} LIMIT $6)"
        )
    };
    let (open, closed) = (arm("open_bars", "FALSE"), arm("bars", "TRUE"));
    format!("{closed} UNION ALL {open} ORDER BY start {order} LIMIT $6")
}

const SYMBOL: &str = "SELECT instrument, watermark_ns, last_append_ns, closed_until_ns \
    FROM symbols WHERE instrument = $1";

const SYMBOLS: &str = "SELECT instrument, watermark_ns, last_append_ns, closed_until_ns \
    FROM symbols WHERE instrument > $1 AND instrument < $2 ORDER BY instrument LIMIT $3";

const VENUE: &str = "SELECT venue, scheme, scope, lateness_ns, idle_ns, nonpositive_prices \
    FROM venues WHERE partition = 0 AND venue = $1 AND \
    (SELECT count(*) FROM venues WHERE venue = $1 AND partition < $2) = $2";

const VENUES: &str = "SELECT venue, scheme, scope, lateness_ns, idle_ns, nonpositive_prices \
    FROM venues WHERE partition = 0 ORDER BY venue";

const PROGRESS: &str = "SELECT partition, epoch, next_offset, updates_epoch, updates_offset, \
    append_time_ns FROM partition_progress ORDER BY partition";

/// Ranges never overlap, so the first that can reach into the query is the last to begin at or
/// before it.
const REJECTED: &str = "SELECT epoch, first_offset, end_offset, verdict, append_time_ns \
    FROM excluded_ranges WHERE partition = $1 AND epoch = $2 \
    AND first_offset < $4 AND end_offset > $3 AND first_offset >= \
    coalesce((SELECT max(first_offset) FROM excluded_ranges \
              WHERE partition = $1 AND epoch = $2 AND first_offset <= $3), $3) \
    ORDER BY first_offset";

type Statement<'q> = Query<'q, Postgres, PgArguments>;

impl TimescaleBarReader {
    /// A reader of what is committed when it reads.
    pub(super) const fn committed(connections: Arc<Connections>) -> Self {
        Self {
            source: Source::Committed(connections),
        }
    }

    /// A reader of the moment of a transaction that has begun.
    pub(super) fn pinned(server: Arc<Server>, loan: Loan) -> Self {
        Self {
            source: Source::Pinned(server, Arc::new(Mutex::new(Some(loan)))),
        }
    }

    /// Runs one statement, which sees one moment, and reads each of its rows.
    async fn read<T>(
        &self,
        statement: Statement<'_>,
        read_row: impl Fn(&PgRow) -> Result<T, Failure>,
    ) -> Result<Vec<T>, StoreError> {
        let (server, rows) = match &self.source {
            Source::Committed(connections) => {
                let mut loan = connections.lend().await?;
                let rows = statement.fetch_all(loan.session()).await;
                (connections.server(), loan.end(rows.map_err(Failure::from))?)
            }
            Source::Pinned(server, place) => {
                // Taken out, so that a read that is cancelled or fails ends the snapshot.
                let mut place = place.lock().await;
                let mut loan = server.check(place.take().ok_or_else(|| {
                    Failure::Unavailable("the snapshot ended with an earlier error".to_owned())
                }))?;
                let rows = statement.fetch_all(loan.session()).await;
                let rows = server.check(rows.map_err(Failure::from))?;
                *place = Some(loan);
                (server, rows)
            }
        };
        server.check(rows.iter().map(read_row).collect())
    }

    fn check<T>(&self, result: Result<T, Failure>) -> Result<T, StoreError> {
        match &self.source {
            Source::Committed(connections) => connections.server().check(result),
            Source::Pinned(server, _) => server.check(result),
        }
    }
}

impl BarReader for TimescaleBarReader {
    async fn partition_progress(&self) -> Result<Vec<PartitionProgress>, StoreError> {
        self.read(query(PROGRESS), row::progress).await
    }

    async fn bars(&self, keys: &[BarKey]) -> Result<Vec<Option<BarRow>>, StoreError> {
        let starts = keys.iter().map(|key| Instant::exactly(key.window.start_ns));
        let starts: Vec<_> = self.check(starts.collect())?;
        let (Some(first), Some(last)) = (starts.iter().min(), starts.iter().max()) else {
            return Ok(Vec::new());
        };
        let column = |text: fn(&Instrument) -> &str| -> Vec<&str> {
            keys.iter().map(|key| text(&key.instrument)).collect()
        };
        let intervals = keys.iter().map(|key| seconds(key.window.interval));
        let bound = query(AssertSqlSafe(BARS.as_str()))
            .bind(column(Instrument::venue))
            .bind(column(Instrument::symbol))
            .bind(intervals.collect::<Vec<_>>())
            .bind(&starts)
            .bind(*first)
            .bind(*last);
        let found = self.read(bound, |row| {
            let place: i64 = row.try_get(0)?;
            Ok((place, bar_columns::read(row, 1)?))
        });
        let mut bars = vec![None; keys.len()];
        for (place, bar) in found.await? {
            // PostgreSQL counts from 1.
            let place = usize::try_from(place - 1).expect("it is a place of a key");
            bars[place] = Some(bar);
        }
        Ok(bars)
    }

    async fn bar_range(&self, query: &BarQuery) -> Result<Vec<BarRow>, StoreError> {
        let sql = if query.keep_newest {
            &NEWEST_BARS
        } else {
            &OLDEST_BARS
        };
        let bound = sqlx::query(AssertSqlSafe(sql.as_str()))
            .bind(query.instrument.venue())
            .bind(query.instrument.symbol())
            .bind(seconds(query.interval))
            .bind(Instant::at_or_after(query.start_ns))
            .bind(Instant::at_or_after(query.end_ns))
            .bind(i64::from(query.limit));
        let mut bars = self.read(bound, |row| bar_columns::read(row, 0)).await?;
        if query.keep_newest {
            bars.reverse();
        }
        Ok(bars)
    }

    async fn id_sets(&self, keys: &[IdSetKey]) -> Result<Vec<IdSetRow>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let names = ids::Keys::of(keys.iter());
        let bound = query(ids::IDS)
            .bind(names.instruments)
            .bind(names.scopes)
            .bind(names.buckets_ns);
        let parts = self.read(bound, ids::read_part).await?;
        Ok(ids::whole(keys.len(), parts))
    }

    async fn id_ranges(
        &self,
        query: &IdRangeQuery,
    ) -> Result<Vec<(IdSetKey, IdRanges)>, StoreError> {
        let (after, ceiling) = set_bounds(query);
        let bound = sqlx::query(ids::ID_RANGES)
            .bind(after.0)
            .bind(after.1)
            .bind(after.2)
            .bind(ceiling)
            .bind(i64::from(query.limit));
        let ranges = self.read(bound, |row| {
            let range = (read_number(row, 3, "first")?, read_number(row, 4, "last")?);
            Ok((ids::read_key(row)?, range))
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
        Ok(self.read(bound, row::symbol).await?.pop())
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
            .bind(i64::from(query.limit));
        self.read(bound, row::symbol).await
    }

    async fn venue_settings(
        &self,
        venue: &Venue,
        partitions: u32,
    ) -> Result<Option<VenueSettings>, StoreError> {
        let bound = query(VENUE)
            .bind(venue.as_str())
            .bind(i64::from(partitions));
        let found = self.read(bound, row::venue).await?.pop();
        Ok(found.map(|row| row.settings))
    }

    async fn venues(&self) -> Result<Vec<VenueRow>, StoreError> {
        self.read(query(VENUES), row::venue).await
    }

    async fn excluded_ranges(
        &self,
        of: u32,
        epoch: u64,
        first: u64,
        end: u64,
    ) -> Result<Vec<ExcludedRange>, StoreError> {
        let bound = query(REJECTED)
            .bind(self.check(partition(of))?)
            .bind(bits(epoch))
            .bind(number(first))
            .bind(number(end));
        self.read(bound, row::rejected).await
    }

    async fn dirty_minutes(&self, of: u32) -> Result<Vec<DirtyMinuteRow>, StoreError> {
        let bound = query(amendments::DIRTY).bind(self.check(partition(of))?);
        self.read(bound, amendments::read_dirty).await
    }

    async fn topic_epoch(&self, topic: &str, topic_id: &str) -> Result<Option<u64>, StoreError> {
        let bound = query(topics::EPOCH).bind(topic).bind(topic_id);
        let read = self.read(bound, |row| read_bits(row, 0));
        Ok(read.await?.pop())
    }
}
