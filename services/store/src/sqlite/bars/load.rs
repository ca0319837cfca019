//! Loading the state of a partition.

use sqlx::{Row, SqliteConnection, query};

use super::{amendments, row};
use crate::id_chunk;
use crate::sqlite::column::{read_parsed_text, u64_as_ordered_column};
use crate::sqlite::database_error::DatabaseError;
use crate::state::{PartitionState, StoredBar};

/// Returns the state of a partition, after creating its progress row if there is none.
pub(super) async fn load_or_create_partition(
    connection: &mut SqliteConnection,
    partition: u32,
    epoch: u64,
) -> Result<PartitionState, DatabaseError> {
    // A new row begins at the current generation or later: a worker that lags may pass an older
    // epoch, and nothing would move the row afterwards.
    query(
        "INSERT OR IGNORE INTO partition_progress \
         (partition, epoch, next_offset, updates_epoch, updates_offset, append_time_ns) \
         VALUES (?1, max(?2, coalesce((SELECT max(epoch) FROM topics WHERE topic = ?4), ?2)), \
         ?3, ?3, ?3, 0)",
    )
    .bind(partition)
    .bind(u64_as_ordered_column(epoch))
    .bind(u64_as_ordered_column(0))
    .bind(schemas::TRADES)
    .execute(&mut *connection)
    .await?;
    let progress = query(
        "SELECT partition, epoch, next_offset, updates_epoch, updates_offset, append_time_ns \
         FROM partition_progress WHERE partition = ?",
    );
    let progress = progress.bind(partition).fetch_one(&mut *connection).await?;
    let symbols = query(
        "SELECT instrument, watermark_ns, last_append_ns, closed_until_ns, newest_minute_ns \
         FROM symbols WHERE partition = ? ORDER BY instrument",
    );
    let symbols = symbols.bind(partition).fetch_all(&mut *connection).await?;
    let venues = query(
        "SELECT venue, scheme, scope, ties, lateness_ns, idle_ns, nonpositive_prices, old_times, \
         retired, declared_epoch, declared_offset \
         FROM venues WHERE partition = ? ORDER BY venue",
    );
    let venues = venues.bind(partition).fetch_all(&mut *connection).await?;
    let open_bars = query(
        "SELECT instrument, interval, start_ns, body FROM open_bars \
         WHERE partition = ? ORDER BY instrument, interval, start_ns",
    );
    let open_bars = open_bars
        .bind(partition)
        .fetch_all(&mut *connection)
        .await?;
    let dirty_minutes = query(amendments::SELECT_DIRTY_MINUTES).bind(partition);
    let dirty_minutes = dirty_minutes.fetch_all(&mut *connection).await?;
    let pending_amendments = amendments::read_pending_amendments(connection, partition).await?;
    let id_digest_key = query("SELECT key FROM id_digest_key");
    let id_digest_key = id_digest_key.fetch_one(&mut *connection).await?;
    let open_bars = open_bars.iter().map(|row| {
        Ok(StoredBar {
            instrument: read_parsed_text(row, 0, "instrument")?,
            row: row::read_bar(row, 3)?,
        })
    });
    Ok(PartitionState {
        progress: row::read_progress(&progress)?,
        symbols: symbols
            .iter()
            .map(row::read_symbol)
            .collect::<Result<_, _>>()?,
        venues: venues
            .iter()
            .map(row::read_venue)
            .collect::<Result<_, _>>()?,
        open_bars: open_bars.collect::<Result<_, DatabaseError>>()?,
        dirty_minutes: dirty_minutes
            .iter()
            .map(amendments::read_dirty_minute)
            .collect::<Result<_, _>>()?,
        pending_amendments,
        id_digest_key: id_chunk::parse_digest_key(id_digest_key.try_get(0)?)?,
    })
}
