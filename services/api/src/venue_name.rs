//! Venues as clients name them.

use std::fmt;
use std::str::FromStr;

use backend::Backend;
use ingest::IngestError;
use market::{Instrument, Symbol, TextError, Venue};
use schemas::api::public_venue_name;

use crate::state::ApiParts;

/// A venue as a client names it: by a name, which means the generation in use, or by a name and the
/// number of a generation, such as `binance@1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClientVenueName {
    /// The named generation, or the first if none is named.
    venue: Venue,
    names_generation: bool,
}

/// A symbol at a venue as a client names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClientInstrumentName {
    pub(crate) venue: ClientVenueName,
    pub(crate) symbol: Symbol,
}

impl ClientVenueName {
    /// Returns whether the venue is named without a generation, so that what it means may change.
    pub(crate) const fn means_generation_in_use(&self) -> bool {
        !self.names_generation
    }

    /// Returns the named generation, or the first if none is named.
    pub(crate) const fn named_or_first_generation(&self) -> &Venue {
        &self.venue
    }
}

impl fmt::Display for ClientVenueName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.names_generation {
            true => out.write_str(&public_venue_name(&self.venue, true)),
            false => write!(out, "{}", self.venue),
        }
    }
}

impl FromStr for ClientVenueName {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        // The first generation has no number in records.
        let first = text.strip_suffix("@1");
        let venue: Venue = first.unwrap_or(text).parse()?;
        if first.is_some() && venue.generation() > 1 {
            return Err(TextError::Generation);
        }
        Ok(Self {
            names_generation: first.is_some() || venue.generation() > 1,
            venue,
        })
    }
}

impl<B: Backend> ApiParts<B> {
    /// Returns the venue that a client means.
    pub(crate) async fn resolve_venue(
        &self,
        named: &ClientVenueName,
    ) -> Result<Venue, IngestError> {
        match named.names_generation {
            true => Ok(named.venue.clone()),
            false => self.producer.venue_in_use(&named.venue).await,
        }
    }

    /// Returns the instrument that a client means.
    pub(crate) async fn resolve_instrument(
        &self,
        named: &ClientInstrumentName,
    ) -> Result<Instrument, IngestError> {
        let venue = self.resolve_venue(&named.venue).await?;
        Ok(Instrument::new(&venue, &named.symbol))
    }

    /// Returns the name of a venue for clients.
    pub(crate) async fn public_venue_name(&self, venue: &Venue) -> Result<String, IngestError> {
        let settings = self.producer.settings_declared_everywhere(venue).await?;
        let is_retired = settings.is_some_and(|settings| settings.retired);
        Ok(public_venue_name(venue, is_retired))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_alone_means_the_generation_in_use() {
        let parse = |text: &str| text.parse::<ClientVenueName>();
        for (text, venue, names_generation) in
            [("v", "v", false), ("v@1", "v", true), ("v@2", "v@2", true)]
        {
            let venue = venue.parse().unwrap();
            let expected = ClientVenueName {
                venue,
                names_generation,
            };
            assert_eq!(parse(text), Ok(expected));
        }
        for text in ["v@", "v@0", "v@2@1", "v@01", "@1"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
