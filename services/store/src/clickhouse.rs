//! Ticks in ClickHouse.

mod config;
mod decimal;
mod insert;
mod lookup;
mod migrate;
mod read;
mod server;

use std::sync::Arc;

use ::clickhouse::Row;
use market::{Instrument, Position};
use serde::Serialize;

pub use self::config::ClickHouseConfig;
use self::server::ClickHouseServer;
use crate::metrics::CommitStopwatch;
use crate::tick_store::hour_start_ns;
use crate::{ArchiveProgress, StoreError, Tick, TickBlock, TickLookup, TickStore};

const SELECT_HOURS: &str = "SELECT hour_ns, count() FROM ( \
    SELECT hour_ns, time_ns FROM trades \
    WHERE venue = ? AND symbol = ? AND hour_ns >= ? AND hour_ns < ? \
    UNION ALL SELECT hour_ns, time_ns FROM amendments \
    WHERE venue = ? AND symbol = ? AND hour_ns >= ? AND hour_ns < ?) \
    GROUP BY hour_ns HAVING max(time_ns) >= ? AND min(time_ns) < ? ORDER BY hour_ns";

/// Ticks in one database of a ClickHouse server or cluster.
///
/// An insert is acknowledged when the server has its rows on disk. The server drops an exact repeat
/// of an insert by its deduplication token, for as long as it remembers the token. Any other
/// repeated rows are collapsed by their key, when they are read and when they are merged.
#[derive(Clone)]
pub struct ClickHouseTickStore {
    server: Arc<ClickHouseServer>,
}

/// A row of `archive_progress`.
#[derive(Row, Serialize)]
struct ArchiveProgressRow {
    partition: u32,
    next_position: (u64, u64),
    append_time_ns: i64,
}

impl ClickHouseTickStore {
    /// Connects, and checks that the tables exist in this version.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the server does not respond or `candlewick migrate` has to
    /// run first; [`StoreError::NewerSchema`] or [`StoreError::OlderSchema`] if the tables are
    /// newer or too old.
    pub async fn open(config: &ClickHouseConfig) -> Result<Self, StoreError> {
        let server = ClickHouseServer::new(config)?;
        migrate::verify_version(&server).await?;
        Ok(Self {
            server: Arc::new(server),
        })
    }

    /// Creates the database and its tables, or upgrades them. Returns the version that was found, 0
    /// if there were no tables, and the version now.
    ///
    /// It may be called again after any failure, and by several processes at once.
    ///
    /// # Errors
    /// [`StoreError`] if the server does not respond or refuses, or if the tables are newer or too
    /// old.
    pub async fn migrate(config: &ClickHouseConfig) -> Result<(u32, u32), StoreError> {
        migrate::migrate(&ClickHouseServer::new(config)?).await
    }
}

impl TickStore for ClickHouseTickStore {
    async fn archive_progress(
        &self,
        partition: u32,
    ) -> Result<Option<ArchiveProgress>, StoreError> {
        let progress = self
            .server
            .client()
            .query(
                "SELECT max(next_position).1, max(next_position).2, max(append_time_ns) \
                 FROM archive_progress WHERE partition = ? GROUP BY partition",
            )
            .bind(partition)
            .fetch_optional::<(u64, u64, i64)>();
        let progress = self.server.with_timeout(progress).await?;
        Ok(
            progress.map(|(epoch, offset, append_time_ns)| ArchiveProgress {
                next_position: Position { epoch, offset },
                append_time_ns,
            }),
        )
    }

    async fn insert(&self, blocks: &[TickBlock]) -> Result<(), StoreError> {
        let started = CommitStopwatch::start();
        insert::insert_blocks(&self.server, blocks).await?;
        let metrics = self.server.metrics();
        metrics.count_rows("ticks", blocks.iter().map(|block| block.ticks.len()).sum());
        metrics.commit_seconds.record(started.elapsed());
        Ok(())
    }

    async fn advance_archive_progress(
        &self,
        partition: u32,
        archived: ArchiveProgress,
    ) -> Result<(), StoreError> {
        let row = ArchiveProgressRow {
            partition,
            next_position: (archived.next_position.epoch, archived.next_position.offset),
            append_time_ns: archived.append_time_ns,
        };
        let written = async {
            let insert = self
                .server
                .client()
                .insert::<ArchiveProgressRow>("archive_progress");
            let mut insert = insert.await?.with_setting("async_insert", "0");
            insert.write(&row).await?;
            insert.end().await
        };
        self.server.with_timeout(written).await
    }

    async fn read(
        &self,
        instrument: &Instrument,
        start_ns: i64,
        end_ns: i64,
    ) -> Result<Vec<Tick>, StoreError> {
        read::read_ticks(&self.server, instrument, start_ns, end_ns).await
    }

    async fn read_first_matching(
        &self,
        instrument: &Instrument,
        start_ns: i64,
        end_ns: i64,
        lookup: &TickLookup,
    ) -> Result<Vec<Tick>, StoreError> {
        lookup::read_first_matching_ticks(&self.server, instrument, start_ns, end_ns, lookup).await
    }

    /// Repeated rows that the server has not merged yet are each counted.
    async fn hours_with_tick_count_upper_bounds(
        &self,
        instrument: &Instrument,
        start_ns: i64,
        end_ns: i64,
    ) -> Result<Vec<(i64, u64)>, StoreError> {
        let mut hours = self.server.client().query(SELECT_HOURS);
        for _table in 0..2 {
            hours = hours
                .bind(instrument.venue())
                .bind(instrument.symbol())
                .bind(hour_start_ns(start_ns))
                .bind(end_ns);
        }
        let hours = hours.bind(start_ns).bind(end_ns);
        self.server
            .with_timeout(hours.fetch_all::<(i64, u64)>())
            .await
    }

    /// Does nothing: an insert is acknowledged when its rows are on disk.
    async fn sync(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Deletes nothing and returns 0: the server drops ticks whose append time is older than the
    /// TTL of their table.
    async fn delete_expired_block_batch(&self, _: i64, _: i64) -> Result<u64, StoreError> {
        Ok(0)
    }
}
