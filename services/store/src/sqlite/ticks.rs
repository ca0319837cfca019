//! The store of ticks in SQLite.

mod block;
mod insert;
mod read;

use std::path::Path;
use std::sync::Arc;

use market::{Instrument, Position};
use sqlx::{Row, query};

use super::column::{read_ordered_u64, u64_as_ordered_column};
use super::database_error::DatabaseError;
use super::file::{DatabaseFile, DatabaseKind};
use super::log_id;
use super::reader_pool::ReaderPool;
use super::schema::SqliteSchema;
use super::writer::SqliteWriter;
use crate::error::StoreError;
use crate::metrics::CommitStopwatch;
use crate::tick_lookup::TickLookup;
use crate::tick_store::hour_start_ns;
use crate::tick_store::{ArchiveProgress, Tick, TickBlock, TickStore};

static KIND: DatabaseKind = DatabaseKind {
    name: "ticks",
    schema: SqliteSchema {
        application_id: 0x4357_5401,
        oldest_version: 4,
        versions: &[include_str!("../../migrations/sqlite/ticks_4.sql")],
    },
    page_size: 16_384,
    // A row has a body of up to a few MiB.
    row_buffer: 2,
};

const SET_ARCHIVE_PROGRESS: &str = "INSERT INTO archive_progress \
        (partition, epoch, next_offset, append_time_ns) VALUES (?, ?, ?, ?) \
    ON CONFLICT (partition) DO UPDATE SET \
    epoch = max(archive_progress.epoch, excluded.epoch), \
    next_offset = CASE \
        WHEN excluded.epoch > archive_progress.epoch THEN excluded.next_offset \
        WHEN excluded.epoch < archive_progress.epoch THEN archive_progress.next_offset \
        ELSE max(archive_progress.next_offset, excluded.next_offset) END, \
    append_time_ns = max(archive_progress.append_time_ns, excluded.append_time_ns)";

/// The greatest number of blocks that one call deletes.
const MAX_EXPIRED_BLOCKS: i64 = 1_000;

const SELECT_HOURS: &str = "SELECT hour_ns, sum(tick_count) FROM ( \
    SELECT hour_ns, tick_count FROM tick_blocks \
    WHERE instrument = ?1 AND hour_ns >= ?2 AND hour_ns < ?4 \
    AND max_time_ns >= ?3 AND min_time_ns < ?4 \
    UNION ALL SELECT hour_ns, tick_count FROM amendment_blocks \
    WHERE instrument = ?1 AND hour_ns >= ?2 AND hour_ns < ?4 \
    AND max_time_ns >= ?3 AND min_time_ns < ?4) GROUP BY hour_ns ORDER BY hour_ns";

const DELETE_TRADES: &str = "DELETE FROM tick_blocks WHERE id IN \
    (SELECT id FROM tick_blocks WHERE last_append_ns < ? LIMIT ?)";
const DELETE_AMENDMENTS: &str = "DELETE FROM amendment_blocks WHERE id IN \
    (SELECT id FROM amendment_blocks WHERE last_append_ns < ? LIMIT ?)";

/// Ticks in one SQLite file, in compressed blocks.
///
/// An insert does not wait for the disk: after a loss of power the file may be as it was after an
/// earlier insert. [`TickStore::sync`] waits for the disk.
#[derive(Clone)]
pub struct SqliteTickStore {
    writer: Arc<SqliteWriter>,
    readers: Arc<ReaderPool>,
}

impl SqliteTickStore {
    /// Opens the file, or creates it in a folder that exists.
    ///
    /// # Errors
    /// [`StoreError`] if the file cannot be read or written, is not a file of this kind, or has the
    /// schema of another version.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        DatabaseFile::open(&KIND, path.as_ref())
            .await
            .map(Self::from_file)
    }

    /// Opens an existing file for reading, while another process may write to it. Calls that write
    /// fail.
    ///
    /// # Errors
    /// [`StoreError`] if the file cannot be read, is not a file of this kind, or has the schema of
    /// another version.
    pub async fn open_read_only(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let file = DatabaseFile::open_read_only(&KIND, path.as_ref()).await;
        file.map(Self::from_file)
    }

    /// Binds the file to the log that its ticks are from. The first call stores the id of the log;
    /// later calls with the id of another log fail, because the offsets of that log name other
    /// records.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the ticks are from another log.
    pub async fn bind_log(&self, log_id: &str) -> Result<(), StoreError> {
        log_id::bind_log(&self.writer, log_id, None).await
    }

    fn from_file(file: DatabaseFile) -> Self {
        let file = Arc::new(file);
        Self {
            readers: Arc::new(ReaderPool::new(Arc::clone(&file))),
            writer: Arc::new(SqliteWriter::new(file)),
        }
    }
}

impl TickStore for SqliteTickStore {
    async fn archive_progress(
        &self,
        partition: u32,
    ) -> Result<Option<ArchiveProgress>, StoreError> {
        let bound = query(
            "SELECT epoch, next_offset, append_time_ns FROM archive_progress WHERE partition = ?",
        );
        let read = self.readers.read(bound.bind(partition), |row| {
            let next_position = Position {
                epoch: read_ordered_u64(row, 0)?,
                offset: read_ordered_u64(row, 1)?,
            };
            Ok(ArchiveProgress {
                next_position,
                append_time_ns: row.try_get(2)?,
            })
        });
        Ok(read.await?.pop())
    }

    async fn insert(&self, blocks: &[TickBlock]) -> Result<(), StoreError> {
        let timer = CommitStopwatch::start();
        let file = self.readers.file();
        let packed =
            file.convert_and_count_error(insert::split_and_compress_blocks(blocks).await)?;
        let mut transaction = self.writer.begin().await?;
        let written = insert::write_blocks(transaction.connection(), &packed).await;
        transaction.convert_and_count_error(written)?;
        transaction.commit().await?;
        let metrics = file.metrics();
        metrics.count_rows("tick_blocks", packed.trades.len());
        metrics.count_rows("amendment_blocks", packed.amendments.len());
        metrics.count_rows("ticks", blocks.iter().map(|block| block.ticks.len()).sum());
        metrics.commit_seconds.record(timer.elapsed());
        Ok(())
    }

    async fn advance_archive_progress(
        &self,
        partition: u32,
        progress: ArchiveProgress,
    ) -> Result<(), StoreError> {
        let mut transaction = self.writer.begin().await?;
        let updated = query(SET_ARCHIVE_PROGRESS)
            .bind(partition)
            .bind(u64_as_ordered_column(progress.next_position.epoch))
            .bind(u64_as_ordered_column(progress.next_position.offset))
            .bind(progress.append_time_ns)
            .execute(transaction.connection())
            .await;
        transaction.convert_and_count_error(updated.map_err(DatabaseError::from))?;
        transaction.commit().await
    }

    async fn read(
        &self,
        instrument: &Instrument,
        start_ns: i64,
        end_ns: i64,
    ) -> Result<Vec<Tick>, StoreError> {
        read::read_ticks(&self.readers, instrument, start_ns, end_ns).await
    }

    async fn read_first_matching(
        &self,
        instrument: &Instrument,
        start_ns: i64,
        end_ns: i64,
        lookup: &TickLookup,
    ) -> Result<Vec<Tick>, StoreError> {
        read::read_first_matching_ticks(&self.readers, instrument, start_ns, end_ns, lookup).await
    }

    async fn hours_with_tick_count_upper_bounds(
        &self,
        instrument: &Instrument,
        start_ns: i64,
        end_ns: i64,
    ) -> Result<Vec<(i64, u64)>, StoreError> {
        let bound = query(SELECT_HOURS)
            .bind(instrument.key())
            .bind(hour_start_ns(start_ns))
            .bind(start_ns)
            .bind(end_ns);
        let read = self.readers.read(bound, |row| {
            let tick_count: i64 = row.try_get(1)?;
            let tick_count = u64::try_from(tick_count)
                .map_err(|_| DatabaseError::malformed_value("tick_count", tick_count))?;
            Ok((row.try_get(0)?, tick_count))
        });
        read.await
    }

    async fn sync(&self) -> Result<(), StoreError> {
        self.writer.sync().await
    }

    async fn delete_expired_block_batch(
        &self,
        trades_before_ns: i64,
        amendments_before_ns: i64,
    ) -> Result<u64, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let mut deleted_blocks = 0;
        for (sql, before_ns) in [
            (DELETE_TRADES, trades_before_ns),
            (DELETE_AMENDMENTS, amendments_before_ns),
        ] {
            let deleted = query(sql)
                .bind(before_ns)
                .bind(MAX_EXPIRED_BLOCKS)
                .execute(transaction.connection())
                .await;
            let deleted =
                transaction.convert_and_count_error(deleted.map_err(DatabaseError::from))?;
            deleted_blocks += deleted.rows_affected();
        }
        transaction.commit().await?;
        Ok(deleted_blocks)
    }
}
