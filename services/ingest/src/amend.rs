//! Appending edits, cancels and repairs.

use bytes::Bytes;
use clock::Clock;
use eventlog::{Log, NewRecord, Offset, PartitionId};
use market::{
    Amendment, Instrument, Position, RejectReason, SettingsChange, Trade, Venue, VenueSettings,
};
use schemas::{RecordPosition, Repair, TradesTopicRecord};
use store::BarReader;

use crate::error::IngestError;
use crate::producer::IngestProducer;
use crate::venues::load_declared_settings;

impl<L: Log, R: BarReader, C: Clock> IngestProducer<L, R, C> {
    /// Appends an edit or a cancel of a trade of the instrument, and returns once it is durable.
    /// `trade` identifies the amended trade and has the new values, as [`Amendment`] says. The
    /// trade itself may arrive later, unless it is identified by its position.
    ///
    /// # Errors
    /// [`IngestError::Rejected`] if the fold would reject the amendment; nothing is appended then.
    /// An amendment of a venue that was not declared is rejected too, because it is unknown what
    /// the venue's ids are unique within. The errors of the log and the store.
    pub async fn append_amendment(
        &self,
        instrument: &Instrument,
        amendment: Amendment,
        trade: Trade,
    ) -> Result<RecordPosition, IngestError> {
        let partition = self.partition_of(instrument);
        let venue = instrument.to_venue();
        let settings = self.require_settings_completing_declaration(&venue).await?;
        market::validate_trade_of_any_venue(&trade, self.clock.now_ns())
            .and_then(|()| settings.validate_amendment(&amendment, &trade))
            .map_err(|reason| IngestError::Rejected {
                reason,
                explanation: reason.explanation_with_unit(trade.time_ns),
            })?;
        if let Some(position) = amendment.target_position {
            let end = Position {
                epoch: self.log.epoch(),
                offset: self.log.bounds(partition).await?.end,
            };
            if position >= end {
                return Err(RejectReason::TargetMissing.into());
            }
        }
        self.accept_symbol_within_limit(instrument).await?;
        let record = TradesTopicRecord::Amendment(amendment, trade);
        let offset = self.append_records(instrument, &[record]).await?;
        self.metrics.count_appended_amendment();
        Ok(self.record_position(partition, offset))
    }

    /// Appends repairs of an instrument. Returns the position of the first once all are durable.
    ///
    /// # Errors
    /// [`IngestError::InvalidRepair`] if there are no repairs or one has invalid bounds;
    /// [`IngestError::Rejected`] if the venue was not declared; the errors of the log and the
    /// store. Some of the repairs may then be in the log; appending them again is harmless.
    pub async fn append_repairs(
        &self,
        instrument: &Instrument,
        repairs: &[Repair],
    ) -> Result<RecordPosition, IngestError> {
        if repairs.is_empty() || !repairs.iter().all(|repair| repair.is_valid()) {
            return Err(IngestError::InvalidRepair);
        }
        self.require_settings_completing_declaration(&instrument.to_venue())
            .await?;
        self.accept_symbol_within_limit(instrument).await?;
        let records: Vec<_> = repairs
            .iter()
            .copied()
            .map(TradesTopicRecord::Repair)
            .collect();
        let offset = self.append_records(instrument, &records).await?;
        self.metrics.count_repairs(records.len());
        Ok(self.record_position(self.partition_of(instrument), offset))
    }

    /// Returns the settings of a venue.
    ///
    /// # Errors
    /// [`IngestError::Rejected`] with [`RejectReason::VenueUnknown`] if the venue was not declared;
    /// the errors of the log and the store.
    pub async fn require_settings_completing_declaration(
        &self,
        venue: &Venue,
    ) -> Result<VenueSettings, IngestError> {
        if let Some(settings) = self.settings_declared_everywhere(venue).await? {
            return Ok(settings);
        }
        // A declaration may not be folded yet, or be in some partitions only. It is completed then.
        match load_declared_settings(&self.log, &self.reader, venue, None).await? {
            Some(_) => {
                let nothing = SettingsChange::default();
                self.settings_of_venue_or_declare(venue, &nothing).await
            }
            None => Err(RejectReason::VenueUnknown.into()),
        }
    }

    async fn append_records(
        &self,
        instrument: &Instrument,
        records: &[TradesTopicRecord],
    ) -> Result<Offset, IngestError> {
        let key = Bytes::copy_from_slice(instrument.key().as_bytes());
        let entry = |record: &TradesTopicRecord| {
            let mut value = Vec::new();
            record.encode(&mut value);
            NewRecord {
                key: key.clone(),
                value: value.into(),
            }
        };
        let entries: Vec<_> = records.iter().map(entry).collect();
        let appended = self.append_durably(self.partition_of(instrument), || entries.clone());
        Ok(appended.await?.start)
    }

    fn partition_of(&self, instrument: &Instrument) -> PartitionId {
        schemas::partition_of(instrument.key().as_bytes(), self.log.partition_count())
    }

    fn record_position(&self, partition: PartitionId, offset: Offset) -> RecordPosition {
        RecordPosition {
            partition,
            position: Position {
                epoch: self.log.epoch(),
                offset,
            },
        }
    }
}
