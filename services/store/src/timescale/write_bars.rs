//! Writing the bars of a transaction.
//!
//! Bars are first copied into a temporary table of the session, and a few statements then write
//! them to their tables. The copy happens before the progress row is updated: while the server
//! waits for data from a client, no statement timeout applies, so a process that is frozen in a
//! copy would hold its locks for ever. At that point it holds none. (Decision 11 compares this with
//! `unnest`.)

use std::collections::BTreeMap;
use std::sync::LazyLock;

use sqlx::{AssertSqlSafe, PgConnection, Row, query, raw_sql};

use super::bar_columns::{KEY_COLUMNS, VALUE_COLUMNS};
use super::bar_copy::BarCopyBuffer;
use super::column::partition_as_integer;
use super::connections::SessionConnection;
use super::database_error::DatabaseError;
use super::timestamptz::Timestamptz;
use crate::StoredBar;

const CREATE_STAGING_TABLE: &str = "CREATE TEMPORARY TABLE IF NOT EXISTS staged_bars \
    (LIKE bars, closed BOOLEAN NOT NULL) ON COMMIT DELETE ROWS";

static COPY_TO_STAGING: LazyLock<String> = LazyLock::new(|| {
    let values = VALUE_COLUMNS.join(", ");
    format!("COPY staged_bars ({KEY_COLUMNS}, {values}, closed) FROM STDIN WITH (FORMAT binary)")
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
static UPSERT_CLOSED_BARS: LazyLock<String> = LazyLock::new(|| {
    let columns = format!("{KEY_COLUMNS}, {}", VALUE_COLUMNS.join(", "));
    format!(
        "INSERT INTO bars ({columns}) SELECT {columns} FROM staged_bars WHERE closed {}",
        *ON_CONFLICT_UPDATE
    )
});

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

/// Selects the least and the greatest start of the staged bars that are open now and were not.
const SELECT_NEWLY_OPEN_BOUNDS: &str = "SELECT min(s.start), max(s.start) FROM staged_bars AS s \
    WHERE NOT s.closed AND NOT EXISTS (SELECT 1 FROM open_bars AS o WHERE o.venue = s.venue \
    AND o.symbol = s.symbol AND o.interval_s = s.interval_s AND o.start = s.start)";

/// The bounds of the start restrict the statement to the chunks between them.
const DELETE_REOPENED_FROM_BARS: &str = "DELETE FROM bars AS b \
    USING staged_bars AS s WHERE NOT s.closed \
    AND b.venue = s.venue AND b.symbol = s.symbol AND b.interval_s = s.interval_s \
    AND b.start = s.start AND b.start >= $1 AND b.start <= $2";

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
    connection: &mut SessionConnection,
) -> Result<(), DatabaseError> {
    if !connection.has_staging_table {
        raw_sql(CREATE_STAGING_TABLE)
            .execute(&mut connection.session)
            .await?;
        connection.has_staging_table = true;
    }
    Ok(())
}

/// Copies bars into the temporary table.
pub(super) async fn stage_bars(
    session: &mut PgConnection,
    bars: &[&StoredBar],
) -> Result<(), DatabaseError> {
    if bars.is_empty() {
        return Ok(());
    }
    let mut buffer = BarCopyBuffer::new(bars.len());
    for bar in bars {
        buffer.push_bar(bar)?;
    }
    let mut copy = session.copy_in_raw(&COPY_TO_STAGING).await?;
    copy.send(buffer.finish()).await?;
    copy.finish().await?;
    Ok(())
}

/// Writes the staged bars, which are `bars`, to the tables `bars` and `open_bars`.
pub(super) async fn write_staged_bars(
    session: &mut PgConnection,
    partition: u32,
    bars: &[&StoredBar],
) -> Result<(), DatabaseError> {
    let closed = bars.iter().filter(|bar| bar.row.closed).count();
    if closed > 0 {
        // Days are written first: a transaction that drops a chunk waits for them, or this one
        // waits for it.
        write_bar_days(session, partition, bars).await?;
        let upsert = query(AssertSqlSafe(UPSERT_CLOSED_BARS.as_str()));
        upsert.execute(&mut *session).await?;
        query(DELETE_CLOSED_FROM_OPEN_BARS)
            .execute(&mut *session)
            .await?;
    }
    if closed < bars.len() {
        delete_reopened_bars(session).await?;
        let upsert =
            query(AssertSqlSafe(UPSERT_OPEN_BARS.as_str())).bind(partition_as_integer(partition)?);
        upsert.execute(session).await?;
    }
    Ok(())
}

/// Deletes bars that are open again from the closed bars.
async fn delete_reopened_bars(session: &mut PgConnection) -> Result<(), DatabaseError> {
    let bounds = query(SELECT_NEWLY_OPEN_BOUNDS)
        .fetch_one(&mut *session)
        .await?;
    let bounds: (Option<Timestamptz>, Option<Timestamptz>) =
        (bounds.try_get(0)?, bounds.try_get(1)?);
    if let (Some(first), Some(last)) = bounds {
        let delete = query(DELETE_REOPENED_FROM_BARS).bind(first).bind(last);
        delete.execute(session).await?;
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
