//! Channels as clients name them.

use std::fmt;
use std::str::FromStr;

use backend::Backend;
use ingest::IngestError;
use market::{Interval, normalize_symbol_to_nfc};

use crate::hub::{ChannelName, ChannelNameError};
use crate::state::ApiParts;
use crate::venue_name::ClientInstrumentName;

/// The name of a channel, `bars:{venue}:{symbol}:{interval}`, whose venue may be one of
/// [`ClientVenueName`](crate::venue_name::ClientVenueName).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClientChannelName {
    instrument: ClientInstrumentName,
    interval: Interval,
}

impl ClientChannelName {
    /// Returns whether the venue is named without a generation, so that what it means may change.
    pub(super) const fn means_generation_in_use(&self) -> bool {
        self.instrument.venue.means_generation_in_use()
    }
}

impl FromStr for ClientChannelName {
    type Err = ChannelNameError;

    fn from_str(text: &str) -> Result<Self, ChannelNameError> {
        let parse = || {
            let (key, interval) = text.strip_prefix("bars:")?.rsplit_once(':')?;
            let (venue, symbol) = key.split_once(':')?;
            Some(Self {
                instrument: ClientInstrumentName {
                    venue: venue.parse().ok()?,
                    symbol: normalize_symbol_to_nfc(symbol).parse().ok()?,
                },
                interval: interval.parse().ok()?,
            })
        };
        parse().ok_or_else(|| ChannelNameError::new(text))
    }
}

impl fmt::Display for ClientChannelName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ClientInstrumentName { venue, symbol } = &self.instrument;
        write!(out, "bars:{venue}:{symbol}:{}", self.interval)
    }
}

impl<B: Backend> ApiParts<B> {
    /// Returns the channel that a client means. It knows of `least_generation` of the venue, which
    /// this pod may learn of a moment later.
    pub(super) async fn resolve_channel(
        &self,
        named: &ClientChannelName,
        least_generation: u16,
    ) -> Result<ChannelName, IngestError> {
        let mut instrument = self.resolve_instrument(&named.instrument).await?;
        let venue = instrument.to_venue();
        if named.means_generation_in_use()
            && venue.generation() < least_generation
            && let Some(later) = venue.with_generation(least_generation)
        {
            instrument = instrument.at_venue(&later);
        }
        Ok(ChannelName {
            instrument,
            interval: named.interval,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_written_as_it_is_meant() {
        for (text, expected) in [
            ("bars:v:e\u{301}:1m", "bars:v:\u{e9}:1m"),
            ("bars:v@1:a:b:5m", "bars:v@1:a:b:5m"),
            ("bars:v@2:A:1h", "bars:v@2:A:1h"),
        ] {
            let named: ClientChannelName = text.parse().unwrap();
            assert_eq!(named.to_string(), expected);
        }
        for text in ["bars:v@:A:1m", "bars:v:1m", "trades:v:A:1m"] {
            assert!(text.parse::<ClientChannelName>().is_err(), "{text}");
        }
    }
}
