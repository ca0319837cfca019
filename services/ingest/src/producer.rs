//! Sending trades and settings.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use clock::{Clock, RetryPolicy};
use eventlog::{Log, NewRecord, Offset, PartitionId};
use futures_util::future::join_all;
use market::{Instrument, RejectReason, Trade, Venue, VenueSettings};
use schemas::TradesRecord;
use store::BarReader;
use tokio::sync::Mutex;

use crate::partitioned::{PartitionRecords, partition};
use crate::routes::{Instruments, Route};
use crate::venues::{FIRST_PARTITION, KnownVenues, declared};
use crate::{IngestError, Metrics};

/// How long a busy log is waited for.
const DEADLINE: Duration = Duration::from_secs(5);
/// The longest first wait for a busy log, and the longest of all.
const FIRST_WAIT: Duration = Duration::from_millis(5);
const LONGEST_WAIT: Duration = Duration::from_millis(250);

/// Sends trades and settings to the log, durably.
pub struct Producer<L, R, C> {
    pub(crate) log: L,
    pub(crate) reader: R,
    pub(crate) clock: C,
    deadline: Duration,
    known: KnownVenues,
    declaring: Mutex<()>,
    pub(crate) metrics: Metrics,
}

/// What became of trades that were sent: all that are not listed are in the log, durably.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// How many the log has taken.
    pub accepted: usize,
    /// The refused ones by their index, ascending.
    pub rejected: Vec<(usize, RejectReason)>,
}

impl<L: Log, R: BarReader, C: Clock> Producer<L, R, C> {
    /// A producer to the topic `log`; `reader` knows the settings that were folded so far.
    ///
    /// It waits up to five seconds for a busy log.
    #[must_use]
    pub fn new(log: L, reader: R, clock: C) -> Self {
        Self {
            log,
            reader,
            clock,
            deadline: DEADLINE,
            known: KnownVenues::default(),
            declaring: Mutex::new(()),
            metrics: Metrics::new(),
        }
    }

    /// Waits for a busy log as long as this.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// What it counts, for those who refuse trades before they get here.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// A venue's settings, where they are in force in every partition.
    ///
    /// # Errors
    /// [`IngestError::Store`] where they cannot be read.
    pub async fn settings(&self, venue: &Venue) -> Result<Option<VenueSettings>, IngestError> {
        if let Some(known) = self.known.get(venue.as_str()) {
            return Ok(Some(known));
        }
        let stored = self
            .reader
            .venue_settings(venue, self.log.partitions())
            .await?;
        Ok(stored.map(|settings| self.known.learn(venue, settings)))
    }

    /// Declares a venue, or amends what was declared of it: done when every partition has
    /// acknowledged. Declarations of one process wait for one another; between processes the
    /// order in partition 0 decides, which every declaration reaches first.
    ///
    /// # Errors
    /// [`IngestError::Conflict`] where the scheme or the scope differ from those that the first
    /// declaration fixed, [`IngestError::OutOfRange`], and what the log and the store answer.
    pub async fn declare(
        &self,
        venue: &Venue,
        settings: VenueSettings,
    ) -> Result<VenueSettings, IngestError> {
        check_bounds(&settings)?;
        let _turn = self.declaring.lock().await;
        let before = declared(&self.log, &self.reader, venue, None).await?;
        if let Some(before) = before {
            check_same(venue, &before.settings, &settings)?;
            if before.everywhere && before.settings == settings {
                self.known.set(venue, settings);
                return Ok(settings);
            }
        }
        self.announce(venue, settings).await
    }

    /// Appends trades, each to the partition that its key names, and answers once all of them
    /// are durable. A venue that nobody has declared is declared first, with
    /// [`VenueSettings::default`]. Trades that the fold would refuse are not appended.
    ///
    /// # Errors
    /// [`IngestError`]; some of the trades may then be in the log.
    pub async fn append(&self, trades: Vec<(Instrument, Trade)>) -> Result<Appended, IngestError> {
        let partitions = self.log.partitions();
        let instruments = Instruments::of(&trades);
        let mut routes = Vec::with_capacity(instruments.distinct.len());
        for instrument in &instruments.distinct {
            let settings = self.settings_or_default(instrument).await?;
            routes.push(Route::new(instrument, settings, partitions));
        }
        let now_ns = self.clock.now_ns();
        let sorted = partition(&trades, &instruments.places, &routes, partitions, now_ns);
        drop(trades);
        self.append_all(&sorted.partitions, &routes).await?;
        self.metrics.accepted(sorted.accepted);
        self.count(&sorted.rejected);
        Ok(Appended {
            accepted: sorted.accepted,
            rejected: sorted.rejected,
        })
    }

    fn count(&self, rejected: &[(usize, RejectReason)]) {
        let mut counts = BTreeMap::new();
        for (_, reject) in rejected {
            *counts.entry(reject.code()).or_default() += 1;
        }
        for (code, count) in counts {
            self.metrics.rejected(code, count);
        }
    }

    /// The settings of an instrument's venue, which is declared where it was not.
    pub(crate) async fn settings_or_default(
        &self,
        instrument: &Instrument,
    ) -> Result<VenueSettings, IngestError> {
        if let Some(known) = self.known.get(instrument.venue()) {
            return Ok(known);
        }
        let venue: Venue = instrument
            .venue()
            .parse()
            .expect("an instrument was made of a venue");
        if let Some(stored) = self.settings(&venue).await? {
            return Ok(stored);
        }
        let _turn = self.declaring.lock().await;
        if let Some(known) = self.known.get(venue.as_str()) {
            return Ok(known);
        }
        // Somebody may have declared it just now, or only to some partitions.
        let begun = declared(&self.log, &self.reader, &venue, None).await?;
        let settings = begun.map_or_else(VenueSettings::default, |begun| begun.settings);
        self.announce(&venue, settings).await
    }

    /// Appends settings to every partition. The caller holds the turn.
    async fn announce(
        &self,
        venue: &Venue,
        settings: VenueSettings,
    ) -> Result<VenueSettings, IngestError> {
        let mut value = Vec::new();
        TradesRecord::Setting(venue.clone(), settings).encode(&mut value);
        let entry = NewRecord {
            key: Bytes::new(),
            value: value.into(),
        };
        let offset = self
            .append_durably(FIRST_PARTITION, || vec![entry.clone()])
            .await?;
        // Another process may have come first, between our look and our record.
        if let Some(first) = declared(&self.log, &self.reader, venue, Some(offset)).await? {
            check_same(venue, &first.settings, &settings)?;
        }
        let entry = &entry;
        let others = (0..self.log.partitions())
            .filter(|partition| *partition != FIRST_PARTITION)
            .map(|partition| self.append_durably(partition, || vec![entry.clone()]));
        for answer in join_all(others).await {
            answer?;
        }
        tracing::info!(%venue, ?settings, "venue declared");
        self.known.set(venue, settings);
        Ok(settings)
    }

    async fn append_all(
        &self,
        partitions: &[PartitionRecords],
        routes: &[Route],
    ) -> Result<(), IngestError> {
        let appends = partitions
            .iter()
            .map(|records| self.append_durably(records.partition, || records.entries(routes)));
        // Every append is waited for, failed or not: none is left behind half done.
        for answer in join_all(appends).await {
            answer?;
        }
        Ok(())
    }

    /// Appends to one partition; while the log is busy, again and again until the deadline.
    pub(crate) async fn append_durably(
        &self,
        partition: PartitionId,
        entries: impl Fn() -> Vec<NewRecord>,
    ) -> Result<Offset, IngestError> {
        let begin_ns = self.clock.monotonic_ns();
        let mut backoff = RetryPolicy::new(FIRST_WAIT, LONGEST_WAIT).backoff();
        loop {
            let error = match self.log.append(partition, entries()).await {
                Ok(appended) => return Ok(appended.start),
                Err(error) if error.is_transient() => error,
                Err(error) => return Err(error.into()),
            };
            let waited_ns = self.clock.monotonic_ns().saturating_sub(begin_ns);
            let delay = backoff.next_delay();
            if Duration::from_nanos(waited_ns) + delay >= self.deadline {
                tracing::warn!(partition, %error, "gave up appending");
                return Err(IngestError::Busy {
                    waited_ms: waited_ns / 1_000_000,
                });
            }
            self.clock.sleep(delay).await;
        }
    }
}

fn check_bounds(settings: &VenueSettings) -> Result<(), IngestError> {
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

fn check_same(
    venue: &Venue,
    known: &VenueSettings,
    asked: &VenueSettings,
) -> Result<(), IngestError> {
    if (known.scheme, known.scope) == (asked.scheme, asked.scope) {
        return Ok(());
    }
    Err(IngestError::Conflict {
        venue: venue.clone(),
        known_scheme: known.scheme,
        known_scope: known.scope,
        asked_scheme: asked.scheme,
        asked_scope: asked.scope,
    })
}
