//! Appending trades and settings.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use clock::{Clock, RetryPolicy, retry};
use eventlog::{Log, LogError, NewRecord, Offset, PartitionId};
use futures_util::future::join_all;
use hashbrown::HashSet;
use market::{Instrument, RejectReason, SettingsChange, Trade, VenueSettings};
use store::BarReader;
use tokio::sync::Mutex;

use crate::error::IngestError;
use crate::known_settings::KnownSettings;
use crate::metrics::IngestMetrics;
use crate::partitioned::{PartitionRecords, RejectedTrade, validate_and_partition_trades};
use crate::routes::{DistinctInstruments, InstrumentRoute};
use crate::venue_and_symbol_limits::{AcceptedSymbols, VenueAndSymbolLimits};

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
    pub(crate) known_settings: KnownSettings,
    pub(crate) limits: VenueAndSymbolLimits,
    accepted_symbols: AcceptedSymbols,
    /// Held during a declaration.
    pub(crate) declaration_lock: Mutex<()>,
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
            limits: VenueAndSymbolLimits::default(),
            accepted_symbols: AcceptedSymbols::new(VenueAndSymbolLimits::default().symbols),
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
    pub fn with_limits(mut self, limits: VenueAndSymbolLimits) -> Self {
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
        // A change that names nothing keeps what another process declares meanwhile.
        self.append_declaring(trades, &SettingsChange::default())
            .await
    }

    /// Does what [`Self::append`] does, but declares a venue that was not declared with `first`.
    ///
    /// # Errors
    /// [`IngestError`], among others if `first` contradicts what another process declares
    /// meanwhile; some of the trades may then be in the log.
    pub async fn append_declaring(
        &self,
        trades: Vec<(Instrument, Trade)>,
        first: &SettingsChange,
    ) -> Result<AppendResult, IngestError> {
        let partitions = self.log.partition_count();
        let distinct = DistinctInstruments::from_trades(&trades);
        let mut routes = self.routes_of(&distinct.instruments, first).await?;
        let now_ns = self.clock.now_ns();
        self.refuse_symbols_beyond_limit(&trades, &distinct, &mut routes, now_ns)
            .await?;
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

    /// Returns the route of each instrument. Trades of an instrument whose venue would be one more
    /// than there may be are refused, and those of a generation that is not in use.
    async fn routes_of(
        &self,
        instruments: &[&Instrument],
        first: &SettingsChange,
    ) -> Result<Vec<InstrumentRoute>, IngestError> {
        let partitions = self.log.partition_count();
        let mut routes = Vec::with_capacity(instruments.len());
        // The venues that exist, read once a venue was refused: a call may name many others.
        let mut stored_venues: Option<HashSet<Box<str>>> = None;
        for instrument in instruments {
            let is_refused = stored_venues.as_ref().is_some_and(|stored| {
                let venue = instrument.venue();
                !stored.contains(venue) && self.known_settings.get(venue).is_none()
            });
            let found = match is_refused {
                true => Err(RejectReason::VenueLimit.into()),
                false => {
                    self.instrument_in_use_with_settings(instrument, first)
                        .await
                }
            };
            let route = match found {
                Ok((instrument, settings)) => {
                    InstrumentRoute::new(instrument, settings, partitions)
                }
                Err(IngestError::Rejected { reason, .. }) => {
                    if reason == RejectReason::VenueLimit && stored_venues.is_none() {
                        let rows = self.reader.venues().await?.into_iter();
                        stored_venues = Some(rows.map(|row| row.venue.as_str().into()).collect());
                    }
                    let settings = VenueSettings::default();
                    let instrument = (*instrument).clone();
                    InstrumentRoute::new(instrument, settings, partitions).refused(reason)
                }
                Err(error) => return Err(error),
            };
            routes.push(route);
        }
        Ok(routes)
    }

    /// Returns an instrument at the generation of its venue that is in use, and the settings, which
    /// `first` declares if they were not.
    async fn instrument_in_use_with_settings(
        &self,
        instrument: &Instrument,
        first: &SettingsChange,
    ) -> Result<(Instrument, VenueSettings), IngestError> {
        let current = self.instrument_in_use(instrument).await?;
        let settings = self.settings_or_declare(&current, first).await?;
        if !settings.retired {
            return Ok((current, settings));
        }
        // Another process retires it at this moment.
        let current = self.instrument_in_use(instrument).await?;
        let settings = self.settings_or_declare(&current, first).await?;
        Ok((current, settings))
    }

    /// Refuses the trades of instruments that would be one symbol more than there may be. An
    /// instrument of which no trade is valid does not count.
    async fn refuse_symbols_beyond_limit(
        &self,
        trades: &[(Instrument, Trade)],
        distinct: &DistinctInstruments<'_>,
        routes: &mut [InstrumentRoute],
        now_ns: i64,
    ) -> Result<(), IngestError> {
        let is_new = |route: &InstrumentRoute| {
            route.refusal.is_none() && !self.accepted_symbols.is_known(&route.instrument)
        };
        let mut waits: Vec<bool> = routes.iter().map(is_new).collect();
        if !waits.contains(&true) {
            return Ok(());
        }
        let mut candidates = Vec::new();
        for ((_, trade), index) in trades.iter().zip(&distinct.indexes) {
            let index = *index as usize;
            if waits[index] && routes[index].validate(trade, now_ns).is_ok() {
                waits[index] = false;
                candidates.push(index);
            }
        }
        let instruments: Vec<_> = candidates
            .iter()
            .map(|index| &routes[*index].instrument)
            .collect();
        let accepted = self
            .accepted_symbols
            .accept(&instruments, &self.reader, &self.clock)
            .await?;
        for (index, is_accepted) in candidates.into_iter().zip(accepted) {
            if !is_accepted {
                routes[index].refusal = Some(RejectReason::SymbolLimit);
            }
        }
        Ok(())
    }

    /// Accepts an instrument that exists, or for which there is room; returns an error otherwise.
    pub(crate) async fn accept_symbol_within_limit(
        &self,
        instrument: &Instrument,
    ) -> Result<(), IngestError> {
        let accepted = self
            .accepted_symbols
            .accept(&[instrument], &self.reader, &self.clock)
            .await?;
        match accepted.as_slice() {
            [false] => Err(RejectReason::SymbolLimit.into()),
            _ => Ok(()),
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
