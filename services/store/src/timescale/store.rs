//! The store of bars.

use std::sync::Arc;

use sqlx::query;

use super::bar_read_session::BEGIN_SNAPSHOT;
use super::chunk_tables::ChunkLockPolicy;
use super::config::{TimescaleConfig, milliseconds_text};
use super::connections::{
    CloseOnDropConnection, ConnectionPool, TimescaleServer, TransactionEnding,
};
use super::database_error::DatabaseError;
use super::durability::DurabilitySettings;
use super::edition::TimescaleEdition;
use super::reader::TimescaleBarReader;
use super::schema::{self, TimescaleMigrationResult};
use super::{closed_bar_retention, commit, load, retention, topics, write_bars};
use crate::metrics::CommitStopwatch;
use crate::topic_generation::TopicGeneration;
use crate::{BarStore, CommitOutcome, PartitionState, PartitionTransaction, StoreError};

/// Bars and the state of the fold in TimescaleDB, which many processes can use at once.
///
/// An acknowledged commit is durable, unless the settings of the server say otherwise. In that case
/// [`open`](Self::open) logs a warning, and [`BarStore::sync`] makes commits durable. The server
/// applies the timeouts of [`TimescaleConfig`] to each call; callers should use a timeout of their
/// own.
#[derive(Clone)]
pub struct TimescaleBarStore {
    reader: TimescaleBarReader,
    writers: Arc<ConnectionPool>,
    snapshots: Arc<ConnectionPool>,
    edition: TimescaleEdition,
    commits_are_synced: bool,
    id: Option<Arc<str>>,
}

impl TimescaleBarStore {
    /// Creates the tables, or upgrades them. Several processes may call it at once.
    ///
    /// # Errors
    /// [`StoreError`] if the server cannot be reached, if the user may not create tables, or if the
    /// tables are newer or too old.
    pub async fn migrate(config: TimescaleConfig) -> Result<TimescaleMigrationResult, StoreError> {
        let server = TimescaleServer::new(config);
        let mut session = server.convert_and_count_error(server.connect().await)?;
        let migrated = schema::migrate(&mut session).await;
        server.convert_and_count_error(migrated)
    }

    /// Lets the next generation of each topic be of another Kafka cluster, or of another name, than
    /// the registered ones.
    ///
    /// # Errors
    /// [`StoreError`] if the server cannot be reached.
    pub async fn forget_topic_origins(config: TimescaleConfig) -> Result<(), StoreError> {
        let server = TimescaleServer::new(config);
        let mut session = server.convert_and_count_error(server.connect().await)?;
        let cleared = query(topics::CLEAR_ORIGINS).execute(&mut session).await;
        let cleared = cleared.map(drop).map_err(DatabaseError::from);
        server.convert_and_count_error(cleared)
    }

    /// Opens a database whose tables are up to date. Logs a warning if the server is not durable,
    /// or has no TimescaleDB.
    ///
    /// # Errors
    /// [`StoreError`] if the server cannot be reached, or if the tables are older or newer.
    pub async fn open(config: TimescaleConfig) -> Result<Self, StoreError> {
        let server = Arc::new(TimescaleServer::new(config));
        let opened = Self::verify_version_and_read_settings(&server).await;
        let (edition, durability, id) = server.convert_and_count_error(opened)?;
        for warning in durability.warnings() {
            tracing::warn!(store = server.label(), "{warning}");
        }
        if edition == TimescaleEdition::PostgresOnly {
            tracing::warn!(
                store = server.label(),
                "this PostgreSQL has no TimescaleDB: bars are in one table, which will be large"
            );
        }
        let config = server.config();
        let pool = |size| Arc::new(ConnectionPool::new(Arc::clone(&server), size));
        Ok(Self {
            reader: TimescaleBarReader::from_pool(pool(config.max_connections)),
            writers: pool(config.max_connections),
            snapshots: pool(config.max_snapshots),
            edition,
            commits_are_synced: durability.commits_are_synced(),
            id: id.map(Into::into),
        })
    }

    /// Checks the version of the tables, and reads what the server offers.
    async fn verify_version_and_read_settings(
        server: &TimescaleServer,
    ) -> Result<(TimescaleEdition, DurabilitySettings, Option<String>), DatabaseError> {
        let mut session = server.connect().await?;
        schema::verify_version(&mut session).await?;
        let edition = TimescaleEdition::detect(&mut session).await?;
        let durability = DurabilitySettings::read(&mut session).await?;
        Ok((
            edition,
            durability,
            schema::database_id(&mut session).await?,
        ))
    }

    /// Returns the text that identifies the database, without white space: a text that no other
    /// database has, other than a physical copy of this one. `None` if the user may not read it.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Returns what errors call the database: its name and address.
    #[must_use]
    pub fn label(&self) -> &str {
        self.server().label()
    }

    /// Returns the edition that the server offers.
    #[must_use]
    pub const fn edition(&self) -> TimescaleEdition {
        self.edition
    }

    fn server(&self) -> &TimescaleServer {
        self.writers.server()
    }

    fn chunk_lock_policy(&self) -> ChunkLockPolicy {
        ChunkLockPolicy {
            edition: self.edition,
            max_chunks: self.server().config().max_chunks(),
        }
    }

    /// Begins a transaction that writes. Dropping the connection rolls it back.
    async fn begin_transaction(&self) -> Result<CloseOnDropConnection, StoreError> {
        let connection = self.writers.acquire().await?;
        connection.begin().await
    }

    /// Drops expired chunks one by one, until one held rows, and returns how many. Each chunk that
    /// is left empty would be locked by reads, because no day of `bar_days` divides those.
    async fn drop_expired_chunks_until_rows_dropped(
        &self,
        bars_before_ns: i64,
    ) -> Result<u64, StoreError> {
        for _ in 0..self.chunk_lock_policy().max_chunks {
            let mut connection = self.begin_transaction().await?;
            let rows = closed_bar_retention::drop_expired_chunk_and_count_rows(
                connection.session(),
                bars_before_ns,
            )
            .await;
            let rows = connection.end_transaction(rows, TransactionEnding::Commit);
            match rows.await? {
                Some(0) => {}
                Some(rows) => return Ok(rows),
                None => break,
            }
        }
        Ok(0)
    }

    /// Deletes closed bars whose first trade was appended before `before_ns`, in transactions that
    /// each reach few chunks, until one has deleted some or none is left. Returns how many.
    async fn delete_next_expired_closed_bars(&self, before_ns: i64) -> Result<u64, StoreError> {
        loop {
            let mut connection = self.begin_transaction().await?;
            let policy = self.chunk_lock_policy();
            let deleted = closed_bar_retention::delete_expired_closed_bar_batch(
                connection.session(),
                before_ns,
                policy,
            )
            .await;
            let deleted = connection.end_transaction(deleted, TransactionEnding::Commit);
            let deleted = deleted.await?;
            if deleted.rows > 0 || !deleted.has_more {
                return Ok(deleted.rows);
            }
        }
    }

    /// Begins a transaction that writes bars, with the table where they are staged. Dropping the
    /// connection rolls it back.
    async fn begin_with_staging_table(&self) -> Result<CloseOnDropConnection, StoreError> {
        let mut connection = self.writers.acquire().await?;
        if let Err(error) = write_bars::create_staging_table(&mut connection.connection).await {
            return connection.return_to_pool_if_ok(Err(error));
        }
        connection.begin().await
    }
}

impl BarStore for TimescaleBarStore {
    type Reader = TimescaleBarReader;
    type Snapshot = TimescaleBarReader;

    fn reader(&self) -> &TimescaleBarReader {
        &self.reader
    }

    async fn load_or_create_partition(
        &self,
        partition: u32,
        epoch: u64,
    ) -> Result<PartitionState, StoreError> {
        let mut connection = self.writers.acquire().await?;
        let state = load::load_or_create_partition(connection.session(), partition, epoch).await;
        connection.return_to_pool_if_ok(state)
    }

    async fn register_topic(&self, generation: &TopicGeneration) -> Result<u64, StoreError> {
        let mut connection = self.begin_transaction().await?;
        let store = self.server().label().to_owned();
        let registered = topics::register_topic(connection.session(), generation, &store).await;
        connection
            .end_transaction(registered, TransactionEnding::Commit)
            .await?
    }

    async fn commit(
        &self,
        transaction: &PartitionTransaction,
    ) -> Result<CommitOutcome, StoreError> {
        let started = CommitStopwatch::start();
        let mut connection = self.begin_with_staging_table().await?;
        let policy = self.chunk_lock_policy();
        let outcome =
            commit::write_transaction_without_commit(connection.session(), transaction, policy)
                .await;
        let ending = match outcome {
            Ok(CommitOutcome::Conflict) => TransactionEnding::Rollback,
            _ => TransactionEnding::Commit,
        };
        let outcome = connection.end_transaction(outcome, ending).await?;
        if outcome == CommitOutcome::Committed {
            let metrics = self.server().metrics();
            metrics.count_transaction_rows(transaction);
            metrics.commit_seconds.record(started.elapsed());
        }
        Ok(outcome)
    }

    async fn dry_run_commit(
        &self,
        transaction: &PartitionTransaction,
    ) -> Result<CommitOutcome, StoreError> {
        let mut connection = self.begin_with_staging_table().await?;
        let policy = self.chunk_lock_policy();
        let outcome =
            commit::write_transaction_without_commit(connection.session(), transaction, policy)
                .await;
        connection
            .end_transaction(outcome, TransactionEnding::Rollback)
            .await
    }

    async fn snapshot(&self) -> Result<TimescaleBarReader, StoreError> {
        let mut connection = self.snapshots.acquire().await?;
        let timeout = milliseconds_text(self.server().config().snapshot_timeout);
        let begun = async {
            query(BEGIN_SNAPSHOT).execute(connection.session()).await?;
            // The snapshot is of the moment of the first statement after BEGIN.
            query(
                "SELECT set_config(name, $1, TRUE) FROM pg_settings \
                 WHERE name IN ('idle_in_transaction_session_timeout', 'transaction_timeout')",
            )
            .bind(timeout)
            .fetch_all(connection.session())
            .await
        };
        match begun.await {
            Ok(_) => Ok(TimescaleBarReader::from_snapshot(
                Arc::clone(self.snapshots.server()),
                connection,
            )),
            Err(error) => connection.return_to_pool_if_ok(Err(error.into())),
        }
    }

    /// Acknowledged commits are on disk already, unless the server does not wait for its disk. In
    /// that case a small transaction waits, whose record in the write-ahead log is after all
    /// others.
    async fn sync(&self) -> Result<(), StoreError> {
        if self.commits_are_synced {
            return Ok(());
        }
        let mut connection = self.begin_transaction().await?;
        let updated = async {
            query("SET LOCAL synchronous_commit = on")
                .execute(connection.session())
                .await?;
            query(
                "INSERT INTO syncs (id, count) VALUES (0, 1) \
                 ON CONFLICT (id) DO UPDATE SET count = syncs.count + 1",
            )
            .execute(connection.session())
            .await
        };
        let updated = updated.await.map(drop).map_err(DatabaseError::from);
        connection
            .end_transaction(updated, TransactionEnding::Commit)
            .await
    }

    async fn delete_expired_batch(
        &self,
        bars_before_ns: i64,
        ids_before_ns: i64,
        excluded_amendments_before_ns: i64,
    ) -> Result<u64, StoreError> {
        let (mut dropped, mut slack_ns) = (0, 0);
        if self.edition != TimescaleEdition::PostgresOnly {
            dropped = self
                .drop_expired_chunks_until_rows_dropped(bars_before_ns)
                .await?;
            let slack = self.server().config().chunk_slack;
            slack_ns = i64::try_from(slack.as_nanos()).unwrap_or(i64::MAX);
        }
        let closed = self
            .delete_next_expired_closed_bars(bars_before_ns.saturating_sub(slack_ns))
            .await?;
        let mut connection = self.begin_transaction().await?;
        let deleted = retention::delete_expired_rows_except_closed_bars(
            connection.session(),
            bars_before_ns,
            ids_before_ns,
            excluded_amendments_before_ns,
            closed,
        )
        .await;
        let deleted = connection.end_transaction(deleted, TransactionEnding::Commit);
        Ok(dropped + closed + deleted.await?)
    }
}
