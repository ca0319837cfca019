//! Appending trades and settings.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use clock::{Clock, RetryPolicy, retry};
use eventlog::{Log, LogError, NewRecord, Offset, PartitionId};
use futures_util::future::join_all;
use market::{Instrument, MILLISECOND_NS, Trade, Venue, VenueSettings};
use schemas::TradesTopicRecord;
use store::BarReader;
use tokio::sync::Mutex;

use crate::error::{FixedSettings, IngestError};
use crate::metrics::IngestMetrics;
use crate::partitioned::{PartitionRecords, RejectedTrade, validate_and_partition_trades};
use crate::routes::{DistinctInstruments, InstrumentRoute};
use crate::venues::{DECIDING_PARTITION, KnownVenues, load_declared_settings};

/// How long to retry while the log is busy.
const DEADLINE: Duration = Duration::from_secs(5);
/// The upper bound of the first backoff, and of all backoffs.
const FIRST_BACKOFF: Duration = Duration::from_millis(5);
const MAX_BACKOFF: Duration = Duration::from_millis(250);

/// Appends trades and settings to the log, durably.
pub struct IngestProducer<L, R, C> {
    pub(crate) log: L,
    pub(crate) reader: R,
    pub(crate) clock: C,
    deadline: Duration,
    known_venues: KnownVenues,
    /// Held during a declaration.
    declaration_lock: Mutex<()>,
    pub(crate) metrics: IngestMetrics,
}

/// The result of appending trades: the log durably holds all trades that are not rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppendResult {
    /// The number of trades that were appended.
    pub accepted: usize,
    /// The rejected trades, ascending by index.
    pub rejected: Vec<RejectedTrade>,
    /// Where the partitions hold the appended trades, ascending by partition. Records of other
    /// writers may lie between them.
    pub appended: Vec<(PartitionId, Range<Offset>)>,
}

impl<L: Log, R: BarReader, C: Clock> IngestProducer<L, R, C> {
    /// Returns a producer that appends to the topic `log` and reads the folded settings from
    /// `reader`.
    ///
    /// It retries up to five seconds while the log is busy.
    #[must_use]
    pub fn new(log: L, reader: R, clock: C) -> Self {
        Self {
            log,
            reader,
            clock,
            deadline: DEADLINE,
            known_venues: KnownVenues::default(),
            declaration_lock: Mutex::new(()),
            metrics: IngestMetrics::new(),
        }
    }

    /// Sets how long to retry while the log is busy.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Returns the metrics, for callers that reject trades themselves.
    #[must_use]
    pub fn metrics(&self) -> &IngestMetrics {
        &self.metrics
    }

    /// Returns a venue's settings; `None` unless they are in force in every partition.
    ///
    /// # Errors
    /// [`IngestError::Store`] if they cannot be read.
    pub async fn settings_declared_everywhere(
        &self,
        venue: &Venue,
    ) -> Result<Option<VenueSettings>, IngestError> {
        if let Some(known) = self.known_venues.get(venue.as_str()) {
            return Ok(Some(known));
        }
        let stored = self
            .reader
            .venue_settings_if_in_every_partition(venue, self.log.partitions())
            .await?;
        Ok(stored.map(|settings| self.known_venues.insert_loaded_if_absent(venue, settings)))
    }

    /// Declares a venue or changes its settings. Returns once every partition has acknowledged the
    /// settings. Declarations of one process wait for one another; between processes the order in
    /// partition 0 decides, to which every declaration is appended first.
    ///
    /// # Errors
    /// [`IngestError::Conflict`] if the first declaration fixed another scheme, scope or tie order,
    /// [`IngestError::OutOfRange`], and the errors of the log and the store.
    pub async fn declare(
        &self,
        venue: &Venue,
        settings: VenueSettings,
    ) -> Result<VenueSettings, IngestError> {
        check_lateness_and_idle_bounds(&settings)?;
        let _guard = self.declaration_lock.lock().await;
        let before = load_declared_settings(&self.log, &self.reader, venue, None).await?;
        if let Some(before) = before {
            check_unchanged_ids(venue, &before.settings, &settings)?;
            if before.is_everywhere && before.settings == settings {
                self.known_venues.insert_declared(venue, settings);
                return Ok(settings);
            }
        }
        self.append_settings_to_every_partition(venue, settings)
            .await
    }

    /// Appends trades, each to the partition of its key, and returns once all are durable. A venue
    /// that was not declared is declared first, with [`VenueSettings::default`]. Trades that the
    /// fold would reject are not appended.
    ///
    /// # Errors
    /// [`IngestError`]; some of the trades may then be in the log.
    pub async fn append(
        &self,
        trades: Vec<(Instrument, Trade)>,
    ) -> Result<AppendResult, IngestError> {
        let partitions = self.log.partitions();
        let distinct = DistinctInstruments::from_trades(&trades);
        let mut routes = Vec::with_capacity(distinct.instruments.len());
        for instrument in &distinct.instruments {
            let settings = self.settings_or_declare_default(instrument).await?;
            routes.push(InstrumentRoute::new(instrument, settings, partitions));
        }
        let now_ns = self.clock.now_ns();
        let partitioned =
            validate_and_partition_trades(&trades, &distinct.indexes, &routes, partitions, now_ns);
        drop(trades);
        let appended = self
            .append_partitions(&partitioned.partitions, &routes)
            .await?;
        self.metrics.count_accepted(partitioned.accepted);
        self.count_rejected(&partitioned.rejected);
        Ok(AppendResult {
            accepted: partitioned.accepted,
            rejected: partitioned.rejected,
            appended,
        })
    }

    fn count_rejected(&self, rejected: &[RejectedTrade]) {
        let mut counts = BTreeMap::new();
        for trade in rejected {
            *counts.entry(trade.reason.code()).or_default() += 1;
        }
        for (code, count) in counts {
            self.metrics.count_rejected(code, count);
        }
    }

    /// Returns the settings of an instrument's venue. Declares the venue if it was not declared.
    pub(crate) async fn settings_or_declare_default(
        &self,
        instrument: &Instrument,
    ) -> Result<VenueSettings, IngestError> {
        if let Some(known) = self.known_venues.get(instrument.venue()) {
            return Ok(known);
        }
        let venue: Venue = instrument
            .venue()
            .parse()
            .expect("an instrument has a valid venue");
        if let Some(stored) = self.settings_declared_everywhere(&venue).await? {
            return Ok(stored);
        }
        let _guard = self.declaration_lock.lock().await;
        if let Some(known) = self.known_venues.get(venue.as_str()) {
            return Ok(known);
        }
        // Another process may have declared it just now, or appended a declaration to some
        // partitions only.
        let declaration = load_declared_settings(&self.log, &self.reader, &venue, None).await?;
        let settings = declaration.map_or_else(VenueSettings::default, |found| found.settings);
        self.append_settings_to_every_partition(&venue, settings)
            .await
    }

    /// Appends settings to every partition. The caller holds the declaration lock.
    async fn append_settings_to_every_partition(
        &self,
        venue: &Venue,
        settings: VenueSettings,
    ) -> Result<VenueSettings, IngestError> {
        let mut value = Vec::new();
        TradesTopicRecord::Setting(venue.clone(), settings).encode(&mut value);
        let record = NewRecord {
            key: Bytes::new(),
            value: value.into(),
        };
        let offset = self
            .append_durably(DECIDING_PARTITION, || vec![record.clone()])
            .await?
            .start;
        // Another process may have appended a declaration before this one.
        if let Some(first) =
            load_declared_settings(&self.log, &self.reader, venue, Some(offset)).await?
        {
            check_unchanged_ids(venue, &first.settings, &settings)?;
        }
        let record = &record;
        let others = (0..self.log.partitions())
            .filter(|partition| *partition != DECIDING_PARTITION)
            .map(|partition| self.append_durably(partition, || vec![record.clone()]));
        for result in join_all(others).await {
            result?;
        }
        tracing::info!(
            %venue,
            id_scheme = %settings.scheme,
            id_scope = %settings.scope,
            ties = %settings.ties,
            lateness_ms = settings.lateness_ns / MILLISECOND_NS,
            idle_ms = settings.idle_ns / MILLISECOND_NS,
            nonpositive_prices = settings.nonpositive_prices,
            old_times = settings.old_times,
            "venue declared"
        );
        self.known_venues.insert_declared(venue, settings);
        Ok(settings)
    }

    async fn append_partitions(
        &self,
        partitions: &[PartitionRecords],
        routes: &[InstrumentRoute],
    ) -> Result<Vec<(PartitionId, Range<Offset>)>, IngestError> {
        let appends = partitions.iter().map(|records| {
            self.append_durably(records.partition, || records.to_new_records(routes))
        });
        // All appends are awaited even if one fails, so that none is dropped halfway.
        let results = join_all(appends).await;
        let appended = partitions.iter().zip(results);
        appended
            .map(|(records, offsets)| Ok((records.partition, offsets?)))
            .collect()
    }

    /// Appends to one partition; retries until the deadline while the log is busy. Returns the
    /// offsets of the records.
    pub(crate) async fn append_durably(
        &self,
        partition: PartitionId,
        new_records: impl Fn() -> Vec<NewRecord>,
    ) -> Result<Range<Offset>, IngestError> {
        let policy = RetryPolicy::new(FIRST_BACKOFF, MAX_BACKOFF).give_up_after(self.deadline);
        let begin_ns = self.clock.monotonic_ns();
        let append = || self.log.append(partition, new_records());
        match retry(&self.clock, &policy, may_succeed_soon, append).await {
            Ok(appended) => Ok(appended),
            Err(error) if may_succeed_soon(&error) => {
                tracing::warn!(partition, %error, "gave up appending");
                let waited_ns = self.clock.monotonic_ns().saturating_sub(begin_ns);
                Err(IngestError::Busy {
                    waited_ms: waited_ns / 1_000_000,
                })
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Returns whether an append that failed may succeed before the deadline. A missing right has to be
/// granted by an operator, and the caller is told so at once.
fn may_succeed_soon(error: &LogError) -> bool {
    error.is_transient() && !matches!(error, LogError::Denied { .. })
}

fn check_lateness_and_idle_bounds(settings: &VenueSettings) -> Result<(), IngestError> {
    let durations = [
        ("lateness_ms", settings.lateness_ns),
        ("idle_ms", settings.idle_ns),
    ];
    for (field, duration_ns) in durations {
        if !(0..=VenueSettings::MAX_WAIT_NS).contains(&duration_ns) {
            return Err(IngestError::OutOfRange { field });
        }
    }
    Ok(())
}

fn check_unchanged_ids(
    venue: &Venue,
    known: &VenueSettings,
    requested: &VenueSettings,
) -> Result<(), IngestError> {
    let [known, requested] = [known, requested].map(FixedSettings::new);
    if known == requested {
        return Ok(());
    }
    Err(IngestError::Conflict {
        venue: venue.clone(),
        known,
        requested,
    })
}
