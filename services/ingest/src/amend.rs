//! Sending edits, cancels and repairs.

use bytes::Bytes;
use clock::Clock;
use eventlog::{Log, NewRecord, Offset, PartitionId};
use market::{Amendment, Instrument, Position, RejectReason, Trade, Venue, VenueSettings};
use schemas::{RecordPosition, Repair, TradesRecord};
use store::BarReader;

use crate::venues::declared;
use crate::{IngestError, Producer};

impl<L: Log, R: BarReader, C: Clock> Producer<L, R, C> {
    /// Appends an edit or a cancel of a trade of the instrument, and answers once it is durable.
    /// `trade` names the amended one and has the new values, as [`Amendment`] says. The trade
    /// itself may come later, unless it is named by its place.
    ///
    /// # Errors
    /// [`IngestError::Rejected`] with what the fold would refuse: nothing is appended then. A
    /// venue that nobody has declared is refused as well, since what its ids are unique within
    /// is not known. Otherwise what the log and the store answer.
    pub async fn amend(
        &self,
        instrument: &Instrument,
        amendment: Amendment,
        trade: Trade,
    ) -> Result<RecordPosition, IngestError> {
        let partition = self.partition_of(instrument);
        let settings = self.settings_in_force(instrument).await?;
        market::check(&trade, self.clock.now_ns())
            .and_then(|()| settings.check_amendment(&amendment, &trade))?;
        if let Some(place) = amendment.place {
            let end = Position {
                epoch: self.log.epoch(),
                offset: self.log.bounds(partition).await?.end,
            };
            if place >= end {
                return Err(RejectReason::TargetMissing.into());
            }
        }
        let record = TradesRecord::Amendment(amendment, trade);
        let offset = self.append_records(instrument, &[record]).await?;
        self.metrics.amended();
        Ok(self.placed(partition, offset))
    }

    /// Appends repairs of an instrument, and answers where the first of them is once all are
    /// durable.
    ///
    /// # Errors
    /// [`IngestError::RepairUnsound`] where there is none, or one has bounds that a record cannot
    /// have; [`IngestError::Rejected`] where the venue is not declared; what the log and the store
    /// answer: some of the repairs may then be in the log, where a second one harms nothing.
    pub async fn repair(
        &self,
        instrument: &Instrument,
        ranges: &[Repair],
    ) -> Result<RecordPosition, IngestError> {
        if ranges.is_empty() || !ranges.iter().all(|range| range.is_sound()) {
            return Err(IngestError::RepairUnsound);
        }
        self.settings_in_force(instrument).await?;
        let records: Vec<_> = ranges.iter().copied().map(TradesRecord::Repair).collect();
        let offset = self.append_records(instrument, &records).await?;
        self.metrics.repaired(records.len());
        Ok(self.placed(self.partition_of(instrument), offset))
    }

    /// The settings of an instrument's venue, which somebody has declared.
    ///
    /// # Errors
    /// [`IngestError::Rejected`] with [`RejectReason::VenueUnknown`] where nobody has; what the log and
    /// the store answer.
    pub async fn settings_in_force(
        &self,
        instrument: &Instrument,
    ) -> Result<VenueSettings, IngestError> {
        let venue: Venue = instrument
            .venue()
            .parse()
            .expect("an instrument was made of a venue");
        if let Some(settings) = self.settings(&venue).await? {
            return Ok(settings);
        }
        // It may have been declared a moment ago, or to some partitions only: then the
        // declaration is completed.
        match declared(&self.log, &self.reader, &venue, None).await? {
            Some(_) => self.settings_or_default(instrument).await,
            None => Err(RejectReason::VenueUnknown.into()),
        }
    }

    async fn append_records(
        &self,
        instrument: &Instrument,
        records: &[TradesRecord],
    ) -> Result<Offset, IngestError> {
        let key = Bytes::copy_from_slice(instrument.key().as_bytes());
        let entry = |record: &TradesRecord| {
            let mut value = Vec::new();
            record.encode(&mut value);
            NewRecord {
                key: key.clone(),
                value: value.into(),
            }
        };
        let entries: Vec<_> = records.iter().map(entry).collect();
        self.append_durably(self.partition_of(instrument), || entries.clone())
            .await
    }

    fn partition_of(&self, instrument: &Instrument) -> PartitionId {
        schemas::partition_of(instrument.key().as_bytes(), self.log.partitions())
    }

    fn placed(&self, partition: PartitionId, offset: Offset) -> RecordPosition {
        RecordPosition {
            partition,
            position: Position {
                epoch: self.log.epoch(),
                offset,
            },
        }
    }
}
