//! Writing the bars of a transaction.
//!
//! Bars are first copied into a temporary table of the session, and a few statements then write
//! them to their tables. The copy happens before the progress row is updated: while the server
//! waits for data from a client, no statement timeout applies, so a process that is frozen in a
//! copy would hold its locks for ever. At that point it holds none. (Decision 11 compares this with
//! `unnest`.)
//!
//! Closed bars go to `bars`. If they lie in more chunks than a commit may lock, those of the chunks
//! with the fewest of them go to `scattered_bars`, whose rows count if a bar has one in both
//! tables.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use sqlx::{AssertSqlSafe, PgConnection, query, query_scalar, raw_sql};

use super::bar_columns::{KEY_COLUMNS, VALUE_COLUMNS};
use super::bar_copy::BarCopyBuffer;
use super::bar_read_session::{RELEASE_LOCKS, SET_SAVEPOINT};
use super::chunk_span::{WeeksOfCommit, cover_starts};
use super::chunk_tables::{ChunkLockPolicy, tables_of_chunks};
use super::column::partition_as_integer;
use super::connections::TimescaleConnection;
use super::database_error::DatabaseError;
use super::timestamptz::Timestamptz;
use crate::StoredBar;

const CREATE_STAGING_TABLE: &str = "CREATE TEMPORARY TABLE IF NOT EXISTS staged_bars \
    (LIKE bars, closed BOOLEAN NOT NULL, scattered BOOLEAN NOT NULL) ON COMMIT DELETE ROWS";

static COPY_TO_STAGING: LazyLock<String> = LazyLock::new(|| {
    let values = VALUE_COLUMNS.join(", ");
    format!(
        "COPY staged_bars ({KEY_COLUMNS}, {values}, closed, scattered) FROM STDIN WITH (FORMAT binary)"
    )
});

/// The clause that replaces the values of a row that exists.
static ON_CONFLICT_UPDATE: LazyLock<String> = LazyLock::new(|| {
    let values = VALUE_COLUMNS.map(|column| format!("{column} = excluded.{column}"));
    format!(
        "ON CONFLICT ({KEY_COLUMNS}) DO UPDATE SET {}",
        values.join(", ")
    )
});

/// An instrument belongs to one partition, so no other transaction writes these rows.
static UPSERT_CLOSED_BARS: LazyLock<String> =
    LazyLock::new(|| upsert_closed_bars_into("bars", "closed AND NOT scattered"));

static UPSERT_SCATTERED_BARS: LazyLock<String> =
    LazyLock::new(|| upsert_closed_bars_into("scattered_bars", "scattered"));

fn upsert_closed_bars_into(table: &str, condition: &str) -> String {
    let columns = format!("{KEY_COLUMNS}, {}", VALUE_COLUMNS.join(", "));
    format!(
        "INSERT INTO {table} ({columns}) SELECT {columns} FROM staged_bars WHERE {condition} {}",
        *ON_CONFLICT_UPDATE
    )
}

static UPSERT_OPEN_BARS: LazyLock<String> = LazyLock::new(|| {
    let columns = format!("{KEY_COLUMNS}, {}", VALUE_COLUMNS.join(", "));
    format!(
        "INSERT INTO open_bars (partition, {columns}) \
         SELECT $1, {columns} FROM staged_bars WHERE NOT closed {}, partition = excluded.partition",
        *ON_CONFLICT_UPDATE
    )
});

const DELETE_CLOSED_FROM_OPEN_BARS: &str = "DELETE FROM open_bars AS o \
    USING staged_bars AS s WHERE s.closed \
    AND o.venue = s.venue AND o.symbol = s.symbol AND o.interval_s = s.interval_s \
    AND o.start = s.start";

/// A bar has a row in `scattered_bars` only if that counts.
const DELETE_OTHERS_FROM_SCATTERED_BARS: &str = "DELETE FROM scattered_bars AS a \
    USING staged_bars AS s WHERE NOT s.scattered \
    AND a.venue = s.venue AND a.symbol = s.symbol AND a.interval_s = s.interval_s \
    AND a.start = s.start";

/// Selects the starts of the staged bars that are open now and were not.
const SELECT_NEWLY_OPEN_STARTS: &str = "SELECT DISTINCT s.start FROM staged_bars AS s \
    WHERE NOT s.closed AND NOT EXISTS (SELECT 1 FROM open_bars AS o WHERE o.venue = s.venue \
    AND o.symbol = s.symbol AND o.interval_s = s.interval_s AND o.start = s.start)";

/// Selects the starts in `[$1, $2)` of closed bars that are open again. The bounds restrict the
/// statement to the chunks between them.
const SELECT_REOPENED_STARTS: &str = "SELECT DISTINCT b.start FROM bars AS b, staged_bars AS s \
    WHERE NOT s.closed \
    AND b.venue = s.venue AND b.symbol = s.symbol AND b.interval_s = s.interval_s \
    AND b.start = s.start AND b.start >= $1 AND b.start < $2";

const UPSERT_BAR_DAYS: &str = "INSERT INTO bar_days \
    (partition, day, oldest_append_ns, newest_append_ns) \
    SELECT $1, * FROM unnest($2, $3, $4) \
    ON CONFLICT (partition, day) DO UPDATE SET \
    oldest_append_ns = least(bar_days.oldest_append_ns, excluded.oldest_append_ns), \
    newest_append_ns = greatest(bar_days.newest_append_ns, excluded.newest_append_ns) \
    WHERE bar_days.oldest_append_ns > excluded.oldest_append_ns \
    OR bar_days.newest_append_ns < excluded.newest_append_ns";

/// Creates the temporary table for the copy, once in each session. It is created outside of a
/// transaction, because a rollback would remove it.
pub(super) async fn create_staging_table(
    connection: &mut TimescaleConnection,
) -> Result<(), DatabaseError> {
    if !connection.has_staging_table {
        raw_sql(CREATE_STAGING_TABLE)
            .execute(&mut connection.session)
            .await?;
        connection.has_staging_table = true;
    }
    Ok(())
}

/// How many of the staged bars go to each table.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct StagedBarCounts {
    open: usize,
    /// Closed bars that go to `bars`.
    closed: usize,
    scattered: usize,
}

/// Copies bars into the temporary table. The closed ones that go to `bars` lie in `max_chunks`
/// chunks at most.
pub(super) async fn stage_bars(
    session: &mut PgConnection,
    bars: &[&StoredBar],
    max_chunks: u32,
) -> Result<StagedBarCounts, DatabaseError> {
    let mut counts = StagedBarCounts::default();
    if bars.is_empty() {
        return Ok(counts);
    }
    let starts = bars.iter().map(|bar| bar.row.window.start_ns);
    let starts = starts.map(Timestamptz::try_from_ns);
    let starts = starts.collect::<Result<Vec<_>, _>>()?;
    let is_closed = bars.iter().map(|bar| bar.row.closed);
    let closed_starts = starts.iter().copied().zip(is_closed);
    let closed_starts = closed_starts.filter_map(|(start, closed)| closed.then_some(start));
    let weeks = WeeksOfCommit::choose(closed_starts, max_chunks);
    let mut buffer = BarCopyBuffer::new(bars.len());
    for (bar, start) in bars.iter().zip(starts) {
        let is_scattered = bar.row.closed && !weeks.contain(start);
        match (bar.row.closed, is_scattered) {
            (false, _) => counts.open += 1,
            (true, false) => counts.closed += 1,
            (true, true) => counts.scattered += 1,
        }
        buffer.push_bar(bar, is_scattered)?;
    }
    let mut copy = session.copy_in_raw(&COPY_TO_STAGING).await?;
    copy.send(buffer.finish()).await?;
    copy.finish().await?;
    Ok(counts)
}

/// Writes the staged bars, which are `bars`, to their tables.
pub(super) async fn write_staged_bars(
    session: &mut PgConnection,
    partition: u32,
    bars: &[&StoredBar],
    counts: StagedBarCounts,
    policy: ChunkLockPolicy,
) -> Result<(), DatabaseError> {
    if bars.is_empty() {
        return Ok(());
    }
    if counts.closed + counts.scattered > 0 {
        // Days are written first: a transaction that drops a chunk waits for them, or this one
        // waits for it.
        write_bar_days(session, partition, bars).await?;
    }
    query(DELETE_OTHERS_FROM_SCATTERED_BARS)
        .execute(&mut *session)
        .await?;
    for (count, upsert) in [
        (counts.closed, &UPSERT_CLOSED_BARS),
        (counts.scattered, &UPSERT_SCATTERED_BARS),
    ] {
        if count > 0 {
            let upsert = query(AssertSqlSafe(upsert.as_str()));
            upsert.execute(&mut *session).await?;
        }
    }
    if counts.closed + counts.scattered > 0 {
        query(DELETE_CLOSED_FROM_OPEN_BARS)
            .execute(&mut *session)
            .await?;
    }
    if counts.open > 0 {
        delete_reopened_from_closed_bars(session, policy).await?;
        let upsert =
            query(AssertSqlSafe(UPSERT_OPEN_BARS.as_str())).bind(partition_as_integer(partition)?);
        upsert.execute(session).await?;
    }
    Ok(())
}

/// Deletes bars that are open again from the closed bars. The fold never opens a closed bar again,
/// so there are hardly ever any.
async fn delete_reopened_from_closed_bars(
    session: &mut PgConnection,
    policy: ChunkLockPolicy,
) -> Result<(), DatabaseError> {
    let newly_open = query_scalar(SELECT_NEWLY_OPEN_STARTS);
    let newly_open: Vec<Timestamptz> = newly_open.fetch_all(&mut *session).await?;
    let mut reopened: Vec<Timestamptz> = Vec::new();
    for range in cover_starts(newly_open, policy.max_chunks) {
        query(SET_SAVEPOINT).execute(&mut *session).await?;
        let select = query_scalar(SELECT_REOPENED_STARTS)
            .bind(range.first)
            .bind(range.end);
        let found: Vec<Timestamptz> = select.fetch_all(&mut *session).await?;
        reopened.extend(found);
        raw_sql(RELEASE_LOCKS).execute(&mut *session).await?;
    }
    for range in cover_starts(reopened, 1) {
        for table in tables_of_chunks(session, range, policy.edition).await? {
            let delete = format!(
                "DELETE FROM {table} AS b USING staged_bars AS s WHERE NOT s.closed \
                 AND b.venue = s.venue AND b.symbol = s.symbol AND b.interval_s = s.interval_s \
                 AND b.start = s.start AND b.start >= $1 AND b.start < $2"
            );
            let delete = query(AssertSqlSafe(delete))
                .bind(range.first)
                .bind(range.end);
            delete.persistent(false).execute(&mut *session).await?;
        }
    }
    Ok(())
}

/// Widens the rows of `bar_days` by the closed ones among some bars.
async fn write_bar_days(
    session: &mut PgConnection,
    partition: u32,
    bars: &[&StoredBar],
) -> Result<(), DatabaseError> {
    let mut days: BTreeMap<Timestamptz, (i64, i64)> = BTreeMap::new();
    for bar in bars.iter().filter(|bar| bar.row.closed) {
        let append_ns = bar.row.bar.first_append_ns;
        let day = Timestamptz::try_from_ns(bar.row.window.start_ns)?.day_start();
        let (oldest_ns, newest_ns) = days.entry(day).or_insert((append_ns, append_ns));
        (*oldest_ns, *newest_ns) = (append_ns.min(*oldest_ns), append_ns.max(*newest_ns));
    }
    let (days, append_times): (Vec<_>, Vec<_>) = days.into_iter().unzip();
    let (oldest_ns, newest_ns): (Vec<_>, Vec<_>) = append_times.into_iter().unzip();
    let upsert = query(UPSERT_BAR_DAYS)
        .bind(partition_as_integer(partition)?)
        .bind(days)
        .bind(oldest_ns)
        .bind(newest_ns);
    upsert.execute(session).await?;
    Ok(())
}
