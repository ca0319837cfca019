//! Reading bars, a bounded number of chunks at a time.

use market::BarRow;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Postgres, Row, query};

use super::bar_columns::{interval_seconds, read_bar_row};
use super::bar_queries::{SELECT_BARS, SELECT_NEWEST_BARS, SELECT_OLDEST_BARS};
use super::bar_read_session::BarReadSession;
use super::chunk_span::{BarStartRange, cover_starts};
use super::column::column_for_unnest;
use super::database_error::DatabaseError;
use super::timestamptz::Timestamptz;
use crate::{BarKey, BarQuery};

/// How many chunks the first statement for a range of bars reads. Most need no second one, and a
/// plan of few chunks is made faster.
const FIRST_CHUNKS: u32 = 8;

/// Reads the bars with some keys, in the order of the keys.
pub(super) async fn read_bars_by_keys(
    session: &mut BarReadSession<'_>,
    keys: &[BarKey],
    max_chunks: u32,
) -> Result<Vec<Option<BarRow>>, DatabaseError> {
    let starts = keys.iter().map(|key| key.window.start_ns);
    let starts = starts.map(Timestamptz::try_from_ns);
    let starts = starts.collect::<Result<Vec<_>, _>>()?;
    let ranges = cover_starts(starts.iter().copied(), max_chunks);
    if ranges.len() > 1 {
        session.begin_snapshot_unless_begun().await?;
    }
    let mut bars = vec![None; keys.len()];
    let mut indexes: Vec<_> = (0..keys.len()).collect();
    indexes.sort_unstable_by_key(|index| starts[*index]);
    let mut rest = indexes.as_slice();
    for range in ranges {
        let count = rest.partition_point(|index| starts[*index] < range.end);
        let (of_range, later) = rest.split_at(count);
        rest = later;
        let select = select_bars_by_keys(keys, of_range, &starts, range);
        for row in session.fetch_bars(select).await? {
            let key_index: i64 = row.try_get(0)?;
            // PostgreSQL counts from 1.
            let index = usize::try_from(key_index - 1).expect("it is the index of a key");
            // The row that counts comes last.
            bars[of_range[index]] = Some(read_bar_row(&row, 1)?);
        }
    }
    Ok(bars)
}

/// Returns the statement that selects the bars with the keys of some indexes, which start in
/// `range`.
fn select_bars_by_keys(
    keys: &[BarKey],
    indexes: &[usize],
    starts: &[Timestamptz],
    range: BarStartRange,
) -> Query<'static, Postgres, PgArguments> {
    let keys: Vec<_> = indexes.iter().map(|index| &keys[*index]).collect();
    let starts: Vec<_> = indexes.iter().map(|index| starts[*index]).collect();
    query(AssertSqlSafe(SELECT_BARS.as_str()))
        .bind(column_for_unnest(&keys, |key| key.instrument.venue()))
        .bind(column_for_unnest(&keys, |key| key.instrument.symbol()))
        .bind(column_for_unnest(&keys, |key| {
            interval_seconds(key.window.interval)
        }))
        .bind(starts)
        .bind(range.first)
        .bind(range.end)
}

/// Reads a range of bars, ascending by start.
pub(super) async fn read_bar_range(
    session: &mut BarReadSession<'_>,
    query: &BarQuery,
    max_chunks: u32,
) -> Result<Vec<BarRow>, DatabaseError> {
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let mut rest = BarStartRange {
        first: Timestamptz::from_ns_rounded_up(query.start_ns),
        end: Timestamptz::from_ns_rounded_up(query.end_ns),
    };
    let mut bars: Vec<BarRow> = Vec::new();
    let mut chunks = FIRST_CHUNKS.min(max_chunks);
    loop {
        let part = match rest.fits_in(max_chunks) {
            true => rest,
            false => rest.end_part(session, query.keep_newest, chunks).await?,
        };
        let missing = limit - bars.len();
        bars.extend(read_part(session, query, part, missing).await?);
        if bars.len() == limit || part == rest {
            break;
        }
        if session.begin_snapshot_unless_begun().await? {
            // The bars that were read may be of an earlier moment.
            bars.clear();
        } else {
            rest = rest.without_end_part(part, query.keep_newest);
        }
        chunks = max_chunks;
    }
    if query.keep_newest {
        bars.reverse();
    }
    Ok(bars)
}

/// Reads the bars of a part of a range, at most `limit`: from the newest on, or from the oldest.
async fn read_part(
    session: &mut BarReadSession<'_>,
    query: &BarQuery,
    part: BarStartRange,
    limit: usize,
) -> Result<Vec<BarRow>, DatabaseError> {
    let sql = match query.keep_newest {
        true => &SELECT_NEWEST_BARS,
        false => &SELECT_OLDEST_BARS,
    };
    let select = sqlx::query(AssertSqlSafe(sql.as_str()))
        .bind(query.instrument.venue())
        .bind(query.instrument.symbol())
        .bind(interval_seconds(query.interval))
        .bind(part.first)
        .bind(part.end)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX));
    let rows = session.fetch_bars(select).await?;
    let bars = rows.iter().map(|row| read_bar_row(row, 0));
    let mut bars = bars.collect::<Result<Vec<_>, _>>()?;
    // Of the rows of one bar, the first counts.
    bars.dedup_by_key(|bar| bar.window.start_ns);
    bars.truncate(limit);
    Ok(bars)
}
