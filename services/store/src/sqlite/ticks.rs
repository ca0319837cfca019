//! Ticks in SQLite.

mod block;
mod insert;
mod read;

use std::path::Path;
use std::sync::Arc;

use market::{Instrument, Position};
use sqlx::{Row, query};

use super::column::{read_unsigned, unsigned};
use super::failure::Failure;
use super::file::{DatabaseFile, Kind};
use super::log_id;
use super::readers::Readers;
use super::schema::Schema;
use super::writer::Writer;
use crate::metrics::CommitTimer;
use crate::tick_store::hour_start_ns;
use crate::{ArchiveProgress, StoreError, Tick, TickBlock, TickStore};

static KIND: Kind = Kind {
    name: "ticks",
    schema: Schema {
        application_id: 0x4357_5401,
        versions: &[include_str!("../../migrations/sqlite/ticks_3.sql")],
    },
    page_size: 16_384,
    // Rows hold bodies of up to a few MiB.
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

/// How many blocks go in one call.
const EXPIRED_BLOCKS: i64 = 1_000;

/// Ticks in one SQLite file, in compressed blocks.
///
/// An insert does not wait for the disk: after a loss of power the file holds what it held at
/// some earlier one. [`TickStore::sync`] waits.
#[derive(Clone)]
pub struct SqliteTickStore {
    writer: Arc<Writer>,
    readers: Arc<Readers>,
}

impl SqliteTickStore {
    /// Opens the file, or makes it; its folder must be there.
    ///
    /// # Errors
    /// [`StoreError`], where it cannot be read or written, is no such file, or is newer.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        DatabaseFile::open(&KIND, path.as_ref()).await.map(Self::of)
    }

    /// Opens a file that is there, which another process may be writing to. What would write
    /// to it fails.
    ///
    /// # Errors
    /// [`StoreError`], where it cannot be read, is no such file, or is of another version.
    pub async fn open_read_only(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let file = DatabaseFile::open_read_only(&KIND, path.as_ref()).await;
        file.map(Self::of)
    }

    /// Notes the log that the ticks are of. The first call does; a later one with another log
    /// fails, because its offsets name other records.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], where they are of another log.
    pub async fn bind_log(&self, log_id: &str) -> Result<(), StoreError> {
        log_id::bind(&self.writer, log_id, None).await
    }

    fn of(file: DatabaseFile) -> Self {
        let file = Arc::new(file);
        Self {
            readers: Arc::new(Readers::new(Arc::clone(&file))),
            writer: Arc::new(Writer::new(file)),
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
                epoch: read_unsigned(row, 0)?,
                offset: read_unsigned(row, 1)?,
            };
            Ok(ArchiveProgress {
                next_position,
                append_time_ns: row.try_get(2)?,
            })
        });
        Ok(read.await?.pop())
    }

    async fn insert(&self, blocks: &[TickBlock]) -> Result<(), StoreError> {
        let started = CommitTimer::start();
        let file = self.readers.file();
        let packed = file.check(insert::pack(blocks).await)?;
        let mut transaction = self.writer.begin().await?;
        let written = insert::write(transaction.connection(), &packed).await;
        transaction.check(written)?;
        transaction.commit().await?;
        let metrics = file.metrics();
        metrics.count_rows("tick_blocks", packed.len());
        metrics.count_rows("ticks", blocks.iter().map(|block| block.ticks.len()).sum());
        metrics.commit_seconds.record(started.elapsed());
        Ok(())
    }

    async fn set_archive_progress(
        &self,
        partition: u32,
        archived: ArchiveProgress,
    ) -> Result<(), StoreError> {
        let mut transaction = self.writer.begin().await?;
        let moved = query(SET_ARCHIVE_PROGRESS)
            .bind(partition)
            .bind(unsigned(archived.next_position.epoch))
            .bind(unsigned(archived.next_position.offset))
            .bind(archived.append_time_ns)
            .execute(transaction.connection())
            .await;
        transaction.check(moved.map_err(Failure::from))?;
        transaction.commit().await
    }

    async fn read(
        &self,
        instrument: &Instrument,
        start_ns: i64,
        end_ns: i64,
    ) -> Result<Vec<Tick>, StoreError> {
        read::read(&self.readers, instrument, start_ns, end_ns).await
    }

    async fn hours_with_ticks(
        &self,
        instrument: &Instrument,
        start_ns: i64,
        end_ns: i64,
    ) -> Result<Vec<(i64, u64)>, StoreError> {
        let bound = query(
            "SELECT hour_ns, sum(tick_count) FROM tick_blocks \
             WHERE instrument = ?1 AND hour_ns >= ?2 AND hour_ns < ?4 \
             AND max_time_ns >= ?3 AND min_time_ns < ?4 GROUP BY hour_ns ORDER BY hour_ns",
        )
        .bind(instrument.key())
        .bind(hour_start_ns(start_ns))
        .bind(start_ns)
        .bind(end_ns);
        let read = self.readers.read(bound, |row| {
            let tick_count: i64 = row.try_get(1)?;
            let tick_count = u64::try_from(tick_count)
                .map_err(|_| Failure::malformed("tick_count", tick_count))?;
            Ok((row.try_get(0)?, tick_count))
        });
        read.await
    }

    async fn sync(&self) -> Result<(), StoreError> {
        self.writer.sync().await
    }

    async fn delete_expired(&self, before_ns: i64) -> Result<u64, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let gone = query(
            "DELETE FROM tick_blocks WHERE id IN \
             (SELECT id FROM tick_blocks WHERE last_append_ns < ? LIMIT ?)",
        )
        .bind(before_ns)
        .bind(EXPIRED_BLOCKS)
        .execute(transaction.connection())
        .await;
        let gone = transaction.check(gone.map_err(Failure::from))?;
        transaction.commit().await?;
        Ok(gone.rows_affected())
    }
}
