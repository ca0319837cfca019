//! The store, over its connections.

use std::sync::Arc;

use market::{BarRow, Instrument, Venue, VenueSettings};
use sqlx::query;

use super::config::{TimescaleConfig, millis};
use super::connections::{Connections, Loan, Server};
use super::edition::{Durability, TimescaleEdition};
use super::failure::Failure;
use super::reader::TimescaleBarReader;
use super::schema::{self, TimescaleMigration};
use super::{bars, commit, expire, load, topics};
use crate::metrics::Metrics;
use crate::{
    BarKey, BarQuery, BarReader, BarStore, CommitOutcome, DirtyMinuteRow, ExcludedRange,
    IdRangeQuery, IdRanges, IdSetKey, IdSetRow, PartitionProgress, PartitionState, StoreError,
    SymbolQuery, SymbolRow, Transaction, VenueRow,
};

/// Bars and the state of the fold in TimescaleDB, for many processes at once.
///
/// A commit that was answered is durable, unless the server says otherwise, which is told when
/// it is opened; then [`BarStore::sync`] makes it so. Calls have the timeouts of
/// [`TimescaleConfig`] on the server; whoever calls has one of its own.
#[derive(Clone)]
pub struct TimescaleBarStore {
    reader: TimescaleBarReader,
    writers: Arc<Connections>,
    snapshots: Arc<Connections>,
    edition: TimescaleEdition,
    commits_are_synced: bool,
}

impl TimescaleBarStore {
    /// Makes the tables, or brings them up to date. Several may do so at once.
    ///
    /// # Errors
    /// [`StoreError`], where it cannot be reached, the user may not make tables, or the tables
    /// are newer.
    pub async fn migrate(config: TimescaleConfig) -> Result<TimescaleMigration, StoreError> {
        let server = Server::new(config);
        let mut session = server.check(server.connect().await)?;
        let migrated = schema::migrate(&mut session).await;
        server.check(migrated)
    }

    /// Opens a database whose tables are up to date. What is not durable there, or not there at
    /// all, is logged.
    ///
    /// # Errors
    /// [`StoreError`], where it cannot be reached, or its tables are older or newer.
    pub async fn open(config: TimescaleConfig) -> Result<Self, StoreError> {
        let server = Arc::new(Server::new(config));
        let opened = Self::inspect(&server).await;
        let (edition, durability) = server.check(opened)?;
        for warning in durability.warnings() {
            tracing::warn!(store = server.label(), "{warning}");
        }
        if edition == TimescaleEdition::Plain {
            tracing::warn!(
                store = server.label(),
                "this PostgreSQL has no TimescaleDB: bars are in one table, which will be large"
            );
        }
        let config = server.config();
        let connections = |count| Arc::new(Connections::new(Arc::clone(&server), count));
        Ok(Self {
            reader: TimescaleBarReader::committed(connections(config.max_connections)),
            writers: connections(config.max_connections),
            snapshots: connections(config.max_snapshots),
            edition,
            commits_are_synced: durability.commits_are_synced(),
        })
    }

    async fn inspect(server: &Server) -> Result<(TimescaleEdition, Durability), Failure> {
        let mut session = server.connect().await?;
        schema::verify(&mut session).await?;
        let edition = TimescaleEdition::find(&mut session).await?;
        Ok((edition, Durability::find(&mut session).await?))
    }

    /// What the server offers.
    #[must_use]
    pub const fn edition(&self) -> TimescaleEdition {
        self.edition
    }

    fn server(&self) -> &Server {
        self.writers.server()
    }

    /// A transaction that writes. Whoever drops the loan has it undone.
    async fn begin(&self) -> Result<Loan, StoreError> {
        let loan = self.writers.lend().await?;
        begin_on(loan).await
    }
}

async fn begin_on(mut loan: Loan) -> Result<Loan, StoreError> {
    match query("BEGIN").execute(loan.session()).await {
        Ok(_) => Ok(loan),
        Err(error) => loan.end(Err(error.into())),
    }
}

/// Ends a transaction as its outcome says, and the loan with it.
async fn end<T>(
    mut loan: Loan,
    outcome: Result<T, Failure>,
    sql: &'static str,
) -> Result<T, StoreError> {
    let outcome = match outcome {
        Ok(value) => query(sql)
            .execute(loan.session())
            .await
            .map(|_| value)
            .map_err(Failure::from),
        Err(failure) => Err(failure),
    };
    loan.end(outcome)
}

impl BarStore for TimescaleBarStore {
    type Snapshot = TimescaleBarReader;

    async fn load_partition(
        &self,
        partition: u32,
        epoch: u64,
    ) -> Result<PartitionState, StoreError> {
        let mut loan = self.writers.lend().await?;
        let state = load::load(loan.session(), partition, epoch).await;
        loan.end(state)
    }

    async fn register_topic(&self, topic: &str, topic_id: &str) -> Result<u64, StoreError> {
        let mut loan = self.begin().await?;
        let adopted = topics::adopt(loan.session(), topic, topic_id).await;
        match end(loan, adopted, "COMMIT").await? {
            topics::Adopted::Current(epoch) => Ok(epoch),
            topics::Adopted::Superseded => Err(StoreError::TopicSuperseded {
                store: self.server().label().to_owned(),
                topic: topic.to_owned(),
                topic_id: topic_id.to_owned(),
            }),
        }
    }

    async fn commit(&self, transaction: &Transaction) -> Result<CommitOutcome, StoreError> {
        let started = Metrics::started();
        let mut loan = self.writers.lend().await?;
        if let Err(failure) = bars::prepare(&mut loan.connection).await {
            return loan.end(Err(failure));
        }
        let mut loan = begin_on(loan).await?;
        let outcome = commit::write(loan.session(), transaction).await;
        let sql = match outcome {
            Ok(CommitOutcome::Conflict) => "ROLLBACK",
            _ => "COMMIT",
        };
        let outcome = end(loan, outcome, sql).await?;
        if outcome == CommitOutcome::Committed {
            let metrics = self.server().metrics();
            commit::count(metrics, transaction);
            metrics.commit_seconds.record(started.elapsed());
        }
        Ok(outcome)
    }

    async fn snapshot(&self) -> Result<TimescaleBarReader, StoreError> {
        let mut loan = self.snapshots.lend().await?;
        let limit = millis(self.server().config().snapshot_timeout);
        let pinned = async {
            query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                .execute(loan.session())
                .await?;
            // The first statement after BEGIN is the moment.
            query(
                "SELECT set_config(name, $1, TRUE) FROM pg_settings \
                 WHERE name IN ('idle_in_transaction_session_timeout', 'transaction_timeout')",
            )
            .bind(limit)
            .fetch_all(loan.session())
            .await
        };
        match pinned.await {
            Ok(_) => Ok(TimescaleBarReader::pinned(
                Arc::clone(self.snapshots.server()),
                loan,
            )),
            Err(error) => loan.end(Err(error.into())),
        }
    }

    /// What was answered is on the disk already, unless the server does not wait for it; then a
    /// small transaction does, whose place in the write-ahead log is after all others.
    async fn sync(&self) -> Result<(), StoreError> {
        if self.commits_are_synced {
            return Ok(());
        }
        let mut loan = self.begin().await?;
        let counted = async {
            query("SET LOCAL synchronous_commit = on")
                .execute(loan.session())
                .await?;
            query(
                "INSERT INTO syncs (id, count) VALUES (0, 1) \
                 ON CONFLICT (id) DO UPDATE SET count = syncs.count + 1",
            )
            .execute(loan.session())
            .await
        };
        let counted = counted.await.map(drop).map_err(Failure::from);
        end(loan, counted, "COMMIT").await
    }

    async fn delete_expired(
        &self,
        bars_before_ns: i64,
        ids_before_ns: i64,
    ) -> Result<u64, StoreError> {
        let (mut dropped, mut slack_ns) = (0, 0);
        if self.edition != TimescaleEdition::Plain {
            let mut loan = self.begin().await?;
            let held = expire::drop_chunk(loan.session(), bars_before_ns).await;
            dropped = end(loan, held, "COMMIT").await?;
            let slack = self.server().config().chunk_slack;
            slack_ns = i64::try_from(slack.as_nanos()).unwrap_or(i64::MAX);
        }
        let mut loan = self.begin().await?;
        let session = loan.session();
        let gone = expire::expire(session, bars_before_ns, slack_ns, ids_before_ns).await;
        Ok(dropped + end(loan, gone, "COMMIT").await?)
    }
}

impl BarReader for TimescaleBarStore {
    async fn partition_progress(&self) -> Result<Vec<PartitionProgress>, StoreError> {
        self.reader.partition_progress().await
    }

    async fn bars(&self, keys: &[BarKey]) -> Result<Vec<Option<BarRow>>, StoreError> {
        self.reader.bars(keys).await
    }

    async fn bar_range(&self, query: &BarQuery) -> Result<Vec<BarRow>, StoreError> {
        self.reader.bar_range(query).await
    }

    async fn id_sets(&self, keys: &[IdSetKey]) -> Result<Vec<IdSetRow>, StoreError> {
        self.reader.id_sets(keys).await
    }

    async fn id_ranges(
        &self,
        query: &IdRangeQuery,
    ) -> Result<Vec<(IdSetKey, IdRanges)>, StoreError> {
        self.reader.id_ranges(query).await
    }

    async fn symbol(&self, instrument: &Instrument) -> Result<Option<SymbolRow>, StoreError> {
        self.reader.symbol(instrument).await
    }

    async fn symbols(&self, query: &SymbolQuery) -> Result<Vec<SymbolRow>, StoreError> {
        self.reader.symbols(query).await
    }

    async fn venue_settings(
        &self,
        venue: &Venue,
        partitions: u32,
    ) -> Result<Option<VenueSettings>, StoreError> {
        self.reader.venue_settings(venue, partitions).await
    }

    async fn venues(&self) -> Result<Vec<VenueRow>, StoreError> {
        self.reader.venues().await
    }

    async fn excluded_ranges(
        &self,
        partition: u32,
        epoch: u64,
        first: u64,
        end: u64,
    ) -> Result<Vec<ExcludedRange>, StoreError> {
        self.reader
            .excluded_ranges(partition, epoch, first, end)
            .await
    }

    async fn dirty_minutes(&self, partition: u32) -> Result<Vec<DirtyMinuteRow>, StoreError> {
        self.reader.dirty_minutes(partition).await
    }

    async fn topic_epoch(&self, topic: &str, topic_id: &str) -> Result<Option<u64>, StoreError> {
        self.reader.topic_epoch(topic, topic_id).await
    }
}
