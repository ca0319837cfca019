//! Loading the state of a partition.

use std::sync::LazyLock;

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, query};

use super::bar_columns::VALUES;
use super::column::{bits, partition, read_parsed};
use super::failure::Failure;
use super::{amendments, bar_columns, row, topics};
use crate::{PartitionState, StoredBar};

/// A row that is new begins no earlier than the current generation: a worker that lags may ask
/// for an older one, and nobody would move the row afterwards.
const BEGIN: &str = "INSERT INTO partition_progress \
    (partition, epoch, next_offset, updates_epoch, updates_offset, append_time_ns) \
    VALUES ($1, coalesce((SELECT max(epoch) FROM topics WHERE topic = $3 AND epoch > $2), $2), \
    0, 0, 0, 0) ON CONFLICT (partition) DO NOTHING";

const PROGRESS: &str = "SELECT partition, epoch, next_offset, updates_epoch, updates_offset, \
    append_time_ns FROM partition_progress WHERE partition = $1";

const SYMBOLS: &str = "SELECT instrument, watermark_ns, last_append_ns, closed_until_ns \
    FROM symbols WHERE partition = $1 ORDER BY instrument";

const VENUES: &str = "SELECT venue, scheme, scope, lateness_ns, idle_ns, nonpositive_prices \
    FROM venues WHERE partition = $1 ORDER BY venue";

static OPEN_BARS: LazyLock<String> = LazyLock::new(|| {
    let values = VALUES.join(", ");
    format!(
        "SELECT venue || ':' || symbol, interval_s, start, {values}, FALSE FROM open_bars \
         WHERE partition = $1 ORDER BY (venue || ':' || symbol) COLLATE \"C\", interval_s, start"
    )
});

/// Makes the progress row of a partition where there is none.
pub(super) async fn begin(
    session: &mut PgConnection,
    number: u32,
    epoch: u64,
) -> Result<(), Failure> {
    query("BEGIN").execute(&mut *session).await?;
    query(topics::LOCK_SHARED).execute(&mut *session).await?;
    query(BEGIN)
        .bind(partition(number)?)
        .bind(bits(epoch))
        .bind(schemas::TRADES)
        .execute(&mut *session)
        .await?;
    query("COMMIT").execute(session).await?;
    Ok(())
}

/// Reads everything of a partition as of one moment.
pub(super) async fn load(
    session: &mut PgConnection,
    number: u32,
    epoch: u64,
) -> Result<PartitionState, Failure> {
    begin(session, number, epoch).await?;
    query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .execute(&mut *session)
        .await?;
    let progress = read(session, PROGRESS, number, row::progress).await?.pop();
    let progress = progress.ok_or_else(|| Failure::malformed("progress", "no row"))?;
    let symbols = read(session, SYMBOLS, number, row::symbol).await?;
    let venues = read(session, VENUES, number, row::venue).await?;
    let open_bars = read(session, &OPEN_BARS, number, |row| {
        Ok(StoredBar {
            instrument: read_parsed(row, 0, "instrument")?,
            row: bar_columns::read(row, 1)?,
        })
    });
    let open_bars = open_bars.await?;
    let dirty = read(session, amendments::DIRTY, number, amendments::read_dirty).await?;
    let ahead = read(
        session,
        amendments::AHEAD_OF,
        number,
        amendments::read_ahead,
    )
    .await?;
    query("COMMIT").execute(session).await?;
    Ok(PartitionState {
        progress,
        symbols,
        venues,
        open_bars,
        dirty_minutes: dirty,
        pending_amendments: ahead,
    })
}

async fn read<T>(
    session: &mut PgConnection,
    sql: &'static str,
    number: u32,
    read_row: impl Fn(&PgRow) -> Result<T, Failure>,
) -> Result<Vec<T>, Failure> {
    let rows = query(AssertSqlSafe(sql)).bind(partition(number)?);
    let rows = rows.fetch_all(session).await?;
    rows.iter().map(read_row).collect()
}
