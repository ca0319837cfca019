//! The generations of a venue's name.

use clock::Clock;
use eventlog::Log;
use market::{Instrument, RejectReason, SettingsChange, Venue};
use store::BarReader;

use crate::error::IngestError;
use crate::producer::IngestProducer;

impl<L: Log, R: BarReader, C: Clock> IngestProducer<L, R, C> {
    /// Returns the generation of a venue's name that is in use: the first that is not retired. It
    /// may not have been declared yet.
    ///
    /// # Errors
    /// [`IngestError::Rejected`] with [`RejectReason::VenueLimit`] if the last generation is
    /// retired; [`IngestError::Store`] if settings cannot be read.
    pub async fn venue_in_use(&self, name: &Venue) -> Result<Venue, IngestError> {
        let mut venue = name.with_generation(1).expect("the first is legal");
        loop {
            let settings = self.settings_declared_everywhere(&venue).await?;
            if !settings.is_some_and(|settings| settings.retired) {
                return Ok(venue);
            }
            let next = venue.with_generation(venue.generation() + 1);
            venue = next.ok_or(RejectReason::VenueLimit)?;
        }
    }

    /// Returns an instrument at the generation of its venue that is in use.
    ///
    /// # Errors
    /// [`IngestError::Rejected`] if the instrument names another generation: with
    /// [`RejectReason::VenueRetired`] an earlier one, with [`RejectReason::VenueUnknown`] a later
    /// one. The name alone means the generation in use. The errors of [`Self::venue_in_use`].
    pub(crate) async fn instrument_in_use(
        &self,
        instrument: &Instrument,
    ) -> Result<Instrument, IngestError> {
        let known = self.known_settings.get(instrument.venue());
        if known.is_some_and(|known| !known.settings.retired) {
            return Ok(instrument.clone());
        }
        let named = instrument.to_venue();
        let venue = self.venue_in_use(&named).await?;
        if named == venue {
            return Ok(instrument.clone());
        }
        match named.generation() {
            1 => Ok(instrument.at_venue(&venue)),
            generation if generation < venue.generation() => Err(RejectReason::VenueRetired.into()),
            _ => Err(RejectReason::VenueUnknown.into()),
        }
    }

    /// Retires a generation of a venue's name, unless it is retired. From then on no partition
    /// counts a trade of it, and the name means the next generation, which is returned. Returns
    /// once every partition has acknowledged.
    ///
    /// # Errors
    /// [`IngestError::Rejected`] with [`RejectReason::VenueUnknown`] if that generation was not
    /// declared, with [`RejectReason::VenueLimit`] if there can be no next one; the errors of
    /// [`Self::declare`].
    pub async fn retire_and_return_next_generation(
        &self,
        name: &Venue,
        generation: u16,
    ) -> Result<Venue, IngestError> {
        let next = name.with_generation(generation.saturating_add(1));
        let next = next.ok_or(RejectReason::VenueLimit)?;
        let venue = self.venue_in_use(name).await?;
        if generation > venue.generation() {
            return Err(RejectReason::VenueUnknown.into());
        }
        if generation == venue.generation() {
            self.require_settings_completing_declaration(&venue).await?;
            self.declare(&venue, SettingsChange::RETIRE).await?;
        }
        Ok(next)
    }
}
