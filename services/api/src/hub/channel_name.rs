//! The names of channels.

use std::fmt;
use std::str::FromStr;

use market::{Instrument, Interval};

/// The name of a channel: `bars:{venue}:{symbol}:{interval}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ChannelName {
    /// The instrument.
    pub instrument: Instrument,
    /// The interval of the bars.
    pub interval: Interval,
}

/// A text is not the name of a channel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a channel; bars:venue:symbol:interval is expected, such as bars:synthetic:BTCUSDT:1m"
)]
pub struct ChannelNameError {
    text: String,
}

impl ChannelNameError {
    /// Returns the error about a text, of which it keeps the beginning.
    pub(crate) fn new(text: &str) -> Self {
        Self {
            text: text.chars().take(128).collect(),
        }
    }
}

impl FromStr for ChannelName {
    type Err = ChannelNameError;

    fn from_str(text: &str) -> Result<Self, ChannelNameError> {
        let parse = || {
            let (key, interval) = text.strip_prefix("bars:")?.rsplit_once(':')?;
            Some(Self {
                instrument: key.parse().ok()?,
                interval: interval.parse().ok()?,
            })
        };
        parse().ok_or_else(|| ChannelNameError::new(text))
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "bars:{}:{}", self.instrument, self.interval)
    }
}
