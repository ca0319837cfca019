//! Writing the bars of a step.
//!
//! They are copied into a table of the session, and from there put in their places by a few
//! statements. The copy comes before the progress row is moved: while the server waits for a
//! client's data no timeout of a statement applies, so a process that is frozen in a copy would
//! hold a lock for ever; so it holds none. (Decision 11 has the figures against `unnest`.)

use std::collections::BTreeMap;
use std::sync::LazyLock;

use sqlx::{AssertSqlSafe, PgConnection, Row, query, raw_sql};

use super::bar_columns::{KEY, Staged, VALUES};
use super::column::{Instant, partition};
use super::connections::Connection;
use super::failure::Failure;
use crate::{StoredBar, Transaction};

const STAGING: &str = "CREATE TEMPORARY TABLE IF NOT EXISTS staged_bars \
    (LIKE bars, closed BOOLEAN NOT NULL) ON COMMIT DELETE ROWS";

static COPY: LazyLock<String> = LazyLock::new(|| {
    let values = VALUES.join(", ");
    format!("COPY staged_bars ({KEY}, {values}, closed) FROM STDIN WITH (FORMAT binary)")
});

/// What becomes of a row that is there.
static UPDATE: LazyLock<String> = LazyLock::new(|| {
    let values = VALUES.map(|column| format!("{column} = excluded.{column}"));
    format!("ON CONFLICT ({KEY}) DO UPDATE SET {}", values.join(", "))
});

/// The instruments of a partition are its own, so nobody else writes these rows.
static CLOSED: LazyLock<String> = LazyLock::new(|| {
    let columns = format!("{KEY}, {}", VALUES.join(", "));
    format!(
        "INSERT INTO bars ({columns}) SELECT {columns} FROM staged_bars WHERE closed {}",
        *UPDATE
    )
});

static OPEN: LazyLock<String> = LazyLock::new(|| {
    let columns = format!("{KEY}, {}", VALUES.join(", "));
    format!(
        "INSERT INTO open_bars (partition, {columns}) \
         SELECT $1, {columns} FROM staged_bars WHERE NOT closed {}, partition = excluded.partition",
        *UPDATE
    )
});

const NO_LONGER_OPEN: &str = "DELETE FROM open_bars AS o USING staged_bars AS s WHERE s.closed \
    AND o.venue = s.venue AND o.symbol = s.symbol AND o.interval_s = s.interval_s \
    AND o.start = s.start";

/// Open bars that were not open before: when they start.
const NEWLY_OPEN: &str = "SELECT min(s.start), max(s.start) FROM staged_bars AS s \
    WHERE NOT s.closed AND NOT EXISTS (SELECT 1 FROM open_bars AS o WHERE o.venue = s.venue \
    AND o.symbol = s.symbol AND o.interval_s = s.interval_s AND o.start = s.start)";

/// With the times, only the chunks between them are looked at.
const NO_LONGER_CLOSED: &str = "DELETE FROM bars AS b USING staged_bars AS s WHERE NOT s.closed \
    AND b.venue = s.venue AND b.symbol = s.symbol AND b.interval_s = s.interval_s \
    AND b.start = s.start AND b.start >= $1 AND b.start <= $2";

const DAYS: &str = "INSERT INTO bar_days (partition, day, oldest_append_ns, newest_append_ns) \
    SELECT $1, * FROM unnest($2, $3, $4) \
    ON CONFLICT (partition, day) DO UPDATE SET \
    oldest_append_ns = least(bar_days.oldest_append_ns, excluded.oldest_append_ns), \
    newest_append_ns = greatest(bar_days.newest_append_ns, excluded.newest_append_ns) \
    WHERE bar_days.oldest_append_ns > excluded.oldest_append_ns \
    OR bar_days.newest_append_ns < excluded.newest_append_ns";

/// Makes the table that bars are copied into, once a session; not inside a transaction, which
/// may be undone.
pub(super) async fn prepare(connection: &mut Connection) -> Result<(), Failure> {
    if !connection.has_staging {
        raw_sql(STAGING).execute(&mut connection.session).await?;
        connection.has_staging = true;
    }
    Ok(())
}

/// Copies the bars into the session.
pub(super) async fn stage(session: &mut PgConnection, bars: &[StoredBar]) -> Result<(), Failure> {
    if bars.is_empty() {
        return Ok(());
    }
    let mut staged = Staged::new(bars.len());
    for bar in bars {
        staged.push(bar)?;
    }
    let mut copy = session.copy_in_raw(&COPY).await?;
    copy.send(staged.finish()).await?;
    copy.finish().await?;
    Ok(())
}

/// Puts the bars that were staged in their places.
pub(super) async fn place(
    session: &mut PgConnection,
    transaction: &Transaction,
) -> Result<(), Failure> {
    let closed = transaction.bars.iter().filter(|bar| bar.row.closed).count();
    if closed > 0 {
        // Days first: whoever drops a chunk waits for them, or lets this wait.
        note_days(session, transaction).await?;
        run(session, &CLOSED).await?;
        query(NO_LONGER_OPEN).execute(&mut *session).await?;
    }
    if closed < transaction.bars.len() {
        make_room(session).await?;
        let sql = AssertSqlSafe(OPEN.as_str());
        let open = query(sql).bind(partition(transaction.progress.partition)?);
        open.execute(session).await?;
    }
    Ok(())
}

/// Takes bars that are open again from among the closed ones.
async fn make_room(session: &mut PgConnection) -> Result<(), Failure> {
    let found = query(NEWLY_OPEN).fetch_one(&mut *session).await?;
    let bounds: (Option<Instant>, Option<Instant>) = (found.try_get(0)?, found.try_get(1)?);
    if let (Some(first), Some(last)) = bounds {
        let gone = query(NO_LONGER_CLOSED).bind(first).bind(last);
        gone.execute(session).await?;
    }
    Ok(())
}

async fn note_days(session: &mut PgConnection, transaction: &Transaction) -> Result<(), Failure> {
    let mut days: BTreeMap<Instant, (i64, i64)> = BTreeMap::new();
    for bar in transaction.bars.iter().filter(|bar| bar.row.closed) {
        let at_ns = bar.row.bar.first_append_ns;
        let day = Instant::exactly(bar.row.window.start_ns)?.day();
        let (oldest, newest) = days.entry(day).or_insert((at_ns, at_ns));
        (*oldest, *newest) = (at_ns.min(*oldest), at_ns.max(*newest));
    }
    let (days, times): (Vec<_>, Vec<_>) = days.into_iter().unzip();
    let (oldest, newest): (Vec<_>, Vec<_>) = times.into_iter().unzip();
    let noted = query(DAYS)
        .bind(partition(transaction.progress.partition)?)
        .bind(days)
        .bind(oldest)
        .bind(newest);
    noted.execute(session).await?;
    Ok(())
}

async fn run(session: &mut PgConnection, sql: &'static LazyLock<String>) -> Result<(), Failure> {
    let statement = query(AssertSqlSafe(sql.as_str()));
    statement.execute(session).await?;
    Ok(())
}
