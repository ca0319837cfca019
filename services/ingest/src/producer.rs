//! Appending trades and settings.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use clock::{Clock, RetryPolicy, retry};
use eventlog::{Log, LogError, NewRecord, Offset, PartitionId};
use futures_util::future::join_all;
use market::{
    DeclaredSettings, Instrument, MILLISECOND_NS, RejectReason, SettingsChange, Trade, Venue,
    VenueSettings,
};
use schemas::{SETTINGS_PARTITION, TradesTopicRecord};
use store::BarReader;
use tokio::sync::Mutex;

use crate::error::{FixedSettings, IngestError};
use crate::known_settings::{BeforeRead, KnownSettings};
use crate::metrics::IngestMetrics;
use crate::name_limits::{AcceptedSymbols, NameLimits};
use crate::partitioned::{PartitionRecords, RejectedTrade, validate_and_partition_trades};
use crate::routes::{DistinctInstruments, InstrumentRoute};
use crate::venues::load_declared_settings;

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
    known_settings: KnownSettings,
    limits: NameLimits,
    accepted_symbols: AcceptedSymbols,
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
            known_settings: KnownSettings::default(),
            limits: NameLimits::default(),
            accepted_symbols: AcceptedSymbols::new(NameLimits::default().symbols),
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

    /// Sets how many venues and symbols there may be.
    #[must_use]
    pub fn with_limits(mut self, limits: NameLimits) -> Self {
        self.limits = limits;
        self.accepted_symbols = AcceptedSymbols::new(limits.symbols);
        self
    }

    /// Returns the metrics, for callers that reject trades themselves.
    #[must_use]
    pub fn metrics(&self) -> &IngestMetrics {
        &self.metrics
    }

    /// Returns the known settings, to which the caller adds those that are announced.
    #[must_use]
    pub fn known_settings(&self) -> KnownSettings {
        self.known_settings.clone()
    }

    /// Returns a venue's settings; `None` unless they are in force in every partition.
    ///
    /// # Errors
    /// [`IngestError::Store`] if they cannot be read.
    pub async fn settings_declared_everywhere(
        &self,
        venue: &Venue,
    ) -> Result<Option<VenueSettings>, IngestError> {
        if let Some(known) = self.known_settings.get(venue.as_str()) {
            return Ok(Some(known.settings));
        }
        let before = self.known_settings.before_read();
        let stored = self
            .reader
            .venue_settings_if_in_every_partition(venue, self.log.partitions())
            .await?;
        Ok(stored.map(|row| {
            let known = &self.known_settings;
            known.insert_read(venue, row.declared(), before).settings
        }))
    }

    /// Declares a venue or changes its settings. Returns all its settings once every partition has
    /// acknowledged them. Partition 0 orders the changes of all processes, to which every change is
    /// appended first; the others get copies of what results.
    ///
    /// # Errors
    /// [`IngestError::Conflict`] if the first declaration fixed another scheme, scope or tie order,
    /// [`IngestError::OutOfRange`], and the errors of the log and the store.
    pub async fn declare(
        &self,
        venue: &Venue,
        change: SettingsChange,
    ) -> Result<VenueSettings, IngestError> {
        check_lateness_and_idle_bounds(&change)?;
        let _guard = self.declaration_lock.lock().await;
        let before_read = self.known_settings.before_read();
        let declared = load_declared_settings(&self.log, &self.reader, venue, None).await?;
        let before = declared.map(|declared| declared.settings);
        let after = apply_change(venue, &change, before.as_ref())?;
        match declared.filter(|declared| declared.settings == after) {
            Some(_) if self.is_stored_everywhere(venue, after).await? => Ok(after),
            Some(declared) => self.append_copies(venue, declared, before_read).await,
            None => {
                if before.is_none() {
                    self.check_venue_limit().await?;
                }
                self.append_change_and_copies(venue, change, before_read)
                    .await
            }
        }
    }

    /// Returns whether every partition has folded settings of a venue, and partition 0 these.
    async fn is_stored_everywhere(
        &self,
        venue: &Venue,
        settings: VenueSettings,
    ) -> Result<bool, IngestError> {
        let stored = self
            .reader
            .venue_settings_if_in_every_partition(venue, self.log.partitions())
            .await?;
        Ok(stored.is_some_and(|row| row.settings == settings))
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
        let routes = self.routes_of(&distinct.instruments).await?;
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

    /// Returns the route of each instrument. Trades of an instrument that would be one venue or symbol
    /// more than there may be are refused.
    async fn routes_of(
        &self,
        instruments: &[&Instrument],
    ) -> Result<Vec<InstrumentRoute>, IngestError> {
        let partitions = self.log.partitions();
        let mut routes = Vec::with_capacity(instruments.len());
        for instrument in instruments {
            let route = match self.settings_or_declare_default(instrument).await {
                Ok(settings) => InstrumentRoute::new(instrument, settings, partitions),
                Err(IngestError::Rejected {
                    reason: reason @ RejectReason::VenueLimit,
                    ..
                }) => {
                    let settings = VenueSettings::default();
                    InstrumentRoute::new(instrument, settings, partitions).refused(reason)
                }
                Err(error) => return Err(error),
            };
            routes.push(route);
        }
        let accepted = self
            .accepted_symbols
            .accept(instruments, &self.reader, &self.clock)
            .await;
        for (route, is_accepted) in routes.iter_mut().zip(accepted) {
            if !is_accepted && route.refusal.is_none() {
                route.refusal = Some(RejectReason::SymbolLimit);
            }
        }
        Ok(routes)
    }

    /// Returns an error unless an instrument exists or there may be one more symbol.
    pub(crate) async fn check_symbol_limit(
        &self,
        instrument: &Instrument,
    ) -> Result<(), IngestError> {
        let accepted = self
            .accepted_symbols
            .accept(&[instrument], &self.reader, &self.clock)
            .await;
        match accepted.as_slice() {
            [false] => Err(RejectReason::SymbolLimit.into()),
            _ => Ok(()),
        }
    }

    /// Returns an error unless there may be one more venue.
    async fn check_venue_limit(&self) -> Result<(), IngestError> {
        let stored = self.reader.venues().await?.len();
        match stored.max(self.known_settings.count()) < self.limits.venues {
            true => Ok(()),
            false => Err(RejectReason::VenueLimit.into()),
        }
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
        if let Some(known) = self.known_settings.get(instrument.venue()) {
            return Ok(known.settings);
        }
        let venue: Venue = instrument
            .venue()
            .parse()
            .expect("an instrument has a valid venue");
        if let Some(stored) = self.settings_declared_everywhere(&venue).await? {
            return Ok(stored);
        }
        let _guard = self.declaration_lock.lock().await;
        if let Some(known) = self.known_settings.get(venue.as_str()) {
            return Ok(known.settings);
        }
        let before_read = self.known_settings.before_read();
        // Another process may have declared it just now, or appended copies to some partitions only.
        match load_declared_settings(&self.log, &self.reader, &venue, None).await? {
            Some(declared) => self.append_copies(&venue, declared, before_read).await,
            // A change that names nothing declares the venue with the default settings, and keeps
            // those that another process declares meanwhile.
            None => {
                self.check_venue_limit().await?;
                let change = SettingsChange::default();
                self.append_change_and_copies(&venue, change, before_read)
                    .await
            }
        }
    }

    /// Appends a change to the partition that orders changes, and copies of the settings that
    /// result to the others. The caller holds the declaration lock.
    async fn append_change_and_copies(
        &self,
        venue: &Venue,
        change: SettingsChange,
        before_read: BeforeRead,
    ) -> Result<VenueSettings, IngestError> {
        let record = TradesTopicRecord::Setting(venue.clone(), change);
        let record = control_record(&record);
        let offset = self
            .append_durably(SETTINGS_PARTITION, || vec![record.clone()])
            .await?
            .start;
        let end = Some(offset + 1);
        let declared = load_declared_settings(&self.log, &self.reader, venue, end).await?;
        let declared = declared.ok_or(RejectReason::VenueUnknown)?;
        // Another process may have declared the venue before, so that this change has no effect.
        apply_change(venue, &change, Some(&declared.settings))?;
        self.append_copies(venue, declared, before_read).await
    }

    /// Appends copies of a venue's settings to all partitions but the one that orders changes.
    ///
    /// The owner of that partition copies them too, in case this process ends before it has. The
    /// copies of one change are equal, and a partition applies the first of them only.
    async fn append_copies(
        &self,
        venue: &Venue,
        declared: DeclaredSettings,
        before_read: BeforeRead,
    ) -> Result<VenueSettings, IngestError> {
        let copy = control_record(&TradesTopicRecord::SettingCopy(venue.clone(), declared));
        let copy = &copy;
        let others = (0..self.log.partitions())
            .filter(|partition| *partition != SETTINGS_PARTITION)
            .map(|partition| self.append_durably(partition, || vec![copy.clone()]));
        for result in join_all(others).await {
            result?;
        }
        log_declared_settings(venue, &declared.settings);
        let known = &self.known_settings;
        let known = known.insert_read(venue, declared, before_read);
        Ok(known.settings)
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

fn check_lateness_and_idle_bounds(change: &SettingsChange) -> Result<(), IngestError> {
    let durations = [
        ("lateness_ms", change.lateness_ns),
        ("idle_ms", change.idle_ns),
    ];
    for (field, duration_ns) in durations {
        let is_allowed = |duration_ns: i64| (0..=VenueSettings::MAX_WAIT_NS).contains(&duration_ns);
        if !duration_ns.is_none_or(is_allowed) {
            return Err(IngestError::OutOfRange { field });
        }
    }
    Ok(())
}

/// Returns the settings after a change.
fn apply_change(
    venue: &Venue,
    change: &SettingsChange,
    before: Option<&VenueSettings>,
) -> Result<VenueSettings, IngestError> {
    let applied = change.apply_to(before);
    applied.map_err(|conflict| IngestError::Conflict {
        venue: venue.clone(),
        field: conflict.field,
        known: FixedSettings::new(before.unwrap_or(&VenueSettings::default())),
        requested: FixedSettings::requested(change),
    })
}

/// Returns the record without an instrument that holds `record`.
fn control_record(record: &TradesTopicRecord) -> NewRecord {
    let mut value = Vec::new();
    record.encode(&mut value);
    NewRecord {
        key: Bytes::new(),
        value: value.into(),
    }
}

fn log_declared_settings(venue: &Venue, settings: &VenueSettings) {
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
}
