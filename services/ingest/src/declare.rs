//! Declaring venues and changing their settings.

use bytes::Bytes;
use clock::Clock;
use eventlog::{Log, NewRecord};
use futures_util::future::join_all;
use market::{
    DeclaredSettings, Instrument, MILLISECOND_NS, RejectReason, SettingsChange, Venue,
    VenueSettings,
};
use schemas::{SETTINGS_PARTITION, TradesTopicRecord};
use store::BarReader;

use crate::error::{FixedSettings, IngestError};
use crate::known_settings::MomentBeforeRead;
use crate::producer::IngestProducer;
use crate::venues::load_declared_settings;

impl<L: Log, R: BarReader, C: Clock> IngestProducer<L, R, C> {
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
            .venue_settings_if_in_every_partition(venue, self.log.partition_count())
            .await?;
        let known = &self.known_settings;
        let declared = match stored {
            Some(row) => Some(known.insert_read(venue, row.declared(), before)),
            // What this process declared may not be folded yet.
            None => known.get_if_everywhere(venue),
        };
        Ok(declared.map(|declared| declared.settings))
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
            Some(_)
                if self
                    .is_stored_with_venue_in_every_partition(venue, after)
                    .await? =>
            {
                Ok(after)
            }
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

    /// Returns whether partition 0 has folded these settings, and every other some of the venue.
    async fn is_stored_with_venue_in_every_partition(
        &self,
        venue: &Venue,
        settings: VenueSettings,
    ) -> Result<bool, IngestError> {
        let stored = self
            .reader
            .venue_settings_if_in_every_partition(venue, self.log.partition_count())
            .await?;
        Ok(stored.is_some_and(|row| row.settings == settings))
    }

    /// Returns an error unless there may be one more venue.
    async fn check_venue_limit(&self) -> Result<(), IngestError> {
        let stored = self.reader.venues().await?.len();
        match stored.max(self.known_settings.count()) < self.limits.venues {
            true => Ok(()),
            false => Err(RejectReason::VenueLimit.into()),
        }
    }

    /// Returns the settings of an instrument's venue. If it was not declared, `first` declares it.
    pub(crate) async fn settings_or_declare(
        &self,
        instrument: &Instrument,
        first: &SettingsChange,
    ) -> Result<VenueSettings, IngestError> {
        match self.known_settings.get(instrument.venue()) {
            Some(known) => Ok(known.settings),
            None => {
                let venue = instrument.to_venue();
                self.settings_of_venue_or_declare(&venue, first).await
            }
        }
    }

    /// Returns the settings of a venue. If it was not declared, `first` declares it.
    pub(crate) async fn settings_of_venue_or_declare(
        &self,
        venue: &Venue,
        first: &SettingsChange,
    ) -> Result<VenueSettings, IngestError> {
        if let Some(stored) = self.settings_declared_everywhere(venue).await? {
            return Ok(stored);
        }
        let _guard = self.declaration_lock.lock().await;
        if let Some(known) = self.known_settings.get(venue.as_str()) {
            return Ok(known.settings);
        }
        let before_read = self.known_settings.before_read();
        // Another process may have declared it just now, or appended copies to some partitions
        // only.
        match load_declared_settings(&self.log, &self.reader, venue, None).await? {
            Some(declared) => self.append_copies(venue, declared, before_read).await,
            None => {
                self.check_venue_limit().await?;
                self.append_change_and_copies(venue, *first, before_read)
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
        before_read: MomentBeforeRead,
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
        let settings = self.append_copies(venue, declared, before_read).await?;
        log_declared_settings(venue, &settings);
        Ok(settings)
    }

    /// Appends copies of a venue's settings to all partitions but the one that orders changes.
    ///
    /// The owner of that partition copies them too, in case this process ends before it has. The
    /// copies of one change are equal, and a partition applies the first of them only.
    async fn append_copies(
        &self,
        venue: &Venue,
        declared: DeclaredSettings,
        before_read: MomentBeforeRead,
    ) -> Result<VenueSettings, IngestError> {
        let copy = control_record(&TradesTopicRecord::SettingCopy(venue.clone(), declared));
        let copy = &copy;
        let others = (0..self.log.partition_count())
            .filter(|partition| *partition != SETTINGS_PARTITION)
            .map(|partition| self.append_durably(partition, || vec![copy.clone()]));
        for result in join_all(others).await {
            result?;
        }
        let known = &self.known_settings;
        let known = known.insert_read(venue, declared, before_read);
        Ok(known.settings)
    }
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
        retired = settings.retired,
        "venue declared"
    );
}
