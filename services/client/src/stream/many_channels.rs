//! The channels that a client follows over one connection.

use std::collections::BTreeMap;

use schemas::api::{BarJson, ChannelSubscriptionJson, StreamMessage, StreamRequest};

use super::channel::{AppliedMessage, ChannelState, HistoryRequest};
use super::error::StreamProtocolError;
use crate::path::path_segment;

/// A client of any number of channels, which follows the rules of the stream and does no I/O.
///
/// After connecting to any pod the caller sends [`StreamClientState::subscribe_request`], passes
/// every message to [`StreamClientState::apply_message`], and reads over REST what
/// [`StreamClientState::history_request`] names. After an error it connects again.
#[derive(Debug, Clone, Default)]
pub struct StreamClientState {
    channels: BTreeMap<String, ChannelState>,
}

impl StreamClientState {
    /// Returns a client of channels such as `bars:binance:BTCUSDT:1m`, which holds nothing yet.
    pub fn new(channels: impl IntoIterator<Item = String>) -> Self {
        let channels = channels.into_iter();
        Self {
            channels: channels
                .map(|name| (name, ChannelState::default()))
                .collect(),
        }
    }

    /// Returns each channel's name and what the client holds of it, in the order of the names.
    pub fn channels(&self) -> impl Iterator<Item = (&str, &ChannelState)> {
        let channels = self.channels.iter();
        channels.map(|(name, channel)| (name.as_str(), channel))
    }

    /// Returns the bars of a channel that a client shows: the newest state of each, without those
    /// that cancels have emptied.
    pub fn shown_bars(&self, channel: &str) -> impl Iterator<Item = &BarJson> {
        let channel = self.channels.get(channel).into_iter();
        let bars = channel.flat_map(ChannelState::newest_state_of_each_bar);
        bars.filter(|bar| bar.trades > 0)
    }

    /// Returns the request that subscribes to every channel, each from where the client holds it.
    #[must_use]
    pub fn subscribe_request(&self) -> StreamRequest {
        let channels = self.channels.iter();
        let channels = channels.map(|(name, state)| ChannelSubscriptionJson {
            channel: name.clone(),
            epoch: state.position().map(|held| held.epoch),
            seq: state.position().map(|held| held.seq),
            generation: state.position().map_or(1, |held| held.generation),
        });
        StreamRequest::Subscribe {
            channels: channels.collect(),
        }
    }

    /// Applies a message of the stream; returns the name of its channel and what changed.
    ///
    /// # Errors
    /// [`StreamProtocolError`], if the message reports an error or breaks a rule of the stream.
    pub fn apply_message(
        &mut self,
        message: StreamMessage,
    ) -> Result<(String, AppliedMessage), StreamProtocolError> {
        let name = match &message {
            StreamMessage::Snapshot { channel, .. } | StreamMessage::Bars { channel, .. } => {
                channel.clone()
            }
            StreamMessage::Error { code, detail, .. } => {
                let (code, detail) = (code.clone(), detail.clone());
                return Err(StreamProtocolError::Refused { code, detail });
            }
        };
        let Some(channel) = self.channels.get_mut(&name) else {
            return Err(StreamProtocolError::UnknownChannel(name));
        };
        let applied = channel.apply_message(message)?;
        Ok((name, applied))
    }

    /// Returns a channel whose bars have to be read over REST from [`all_bars_first_page_path`] on,
    /// with the request to be passed to [`StreamClientState::apply_history`] with the bars;
    /// `None` if there is no such channel.
    #[must_use]
    pub fn history_request(&self) -> Option<(String, HistoryRequest)> {
        let mut channels = self.channels.iter();
        channels.find_map(|(name, channel)| Some((name.clone(), channel.history_request()?)))
    }

    /// Applies a channel's bars that were read over REST.
    ///
    /// # Panics
    /// If the client has no such channel.
    pub fn apply_history(&mut self, channel: &str, request: HistoryRequest, bars: Vec<BarJson>) {
        let state = self.channels.get_mut(channel);
        let state = state.expect("the request names a channel of this client");
        state.apply_history(request, bars);
    }
}

/// Returns the path of the first page of all bars of a channel whose venue has this generation, for
/// [`RestClient::get_all_pages`](crate::RestClient::get_all_pages); `None` if the name is not
/// `bars:VENUE:SYMBOL:INTERVAL`.
#[must_use]
pub fn all_bars_first_page_path(channel: &str, generation: u16) -> Option<String> {
    // A symbol may contain colons.
    let (venue, rest) = channel.strip_prefix("bars:")?.split_once(':')?;
    let (symbol, interval) = rest.rsplit_once(':')?;
    let symbol = path_segment(symbol);
    let name = venue.split_once('@').map_or(venue, |(name, _)| name);
    Some(format!(
        "/api/v1/bars/{name}@{generation}/{symbol}?interval={interval}&start=0&limit=10000"
    ))
}

#[cfg(test)]
mod tests {
    use schemas::api::StreamMessage;
    use serde_json::json;

    use super::{StreamClientState, StreamProtocolError, all_bars_first_page_path};

    #[test]
    fn the_path_of_a_channels_bars_is_derived_from_its_name() {
        let path = "/api/v1/bars/v@1/X?interval=1m&start=0&limit=10000";
        let found = all_bars_first_page_path("bars:v:X:1m", 1);
        assert_eq!(found.as_deref(), Some(path));
        let path = "/api/v1/bars/v@2/BTC%2FUSDT%3AUSDT?interval=1m&start=0&limit=10000";
        let found = all_bars_first_page_path("bars:v@2:BTC/USDT:USDT:1m", 2);
        assert_eq!(found.as_deref(), Some(path));
        assert_eq!(all_bars_first_page_path("bars:v:X", 1), None);
        assert_eq!(all_bars_first_page_path("trades:v:X:1m", 1), None);
    }

    fn snapshot(channel: &str) -> StreamMessage {
        StreamMessage::Snapshot {
            channel: channel.to_owned(),
            epoch: 7,
            seq: 3,
            generation: 1,
            recovered: None,
            epoch_ends: Vec::new(),
            bars: Vec::new(),
        }
    }

    #[test]
    fn a_subscription_resumes_from_what_is_held() {
        let mut client = StreamClientState::new(["bars:v:X:1m", "bars:v:Y:1m"].map(str::to_owned));
        client.apply_message(snapshot("bars:v:X:1m")).unwrap();
        let request = serde_json::to_value(client.subscribe_request()).unwrap();
        let expected = json!({"op": "subscribe", "channels": [
            {"channel": "bars:v:X:1m", "epoch": 7, "seq": 3}, {"channel": "bars:v:Y:1m"}]});
        assert_eq!(request, expected);
    }

    #[test]
    fn history_is_requested_until_it_was_read_after_the_snapshot() {
        let name = "bars:v:X:1m";
        let mut client = StreamClientState::new([name.to_owned()]);
        assert_eq!(client.history_request(), None);
        client.apply_message(snapshot(name)).unwrap();
        let (channel, first) = client.history_request().unwrap();
        assert_eq!(channel, name);
        // Another snapshot comes before the response to the first request.
        client.apply_message(snapshot(name)).unwrap();
        client.apply_history(name, first, Vec::new());
        let (_, second) = client.history_request().unwrap();
        client.apply_history(name, second, Vec::new());
        assert_eq!(client.history_request(), None);
    }

    #[test]
    fn errors_and_messages_of_other_channels_are_reported() {
        let mut client = StreamClientState::new(["bars:v:X:1m".to_owned()]);
        let refused = client.apply_message(StreamMessage::Error {
            code: "unknown_channel".to_owned(),
            detail: "no such".to_owned(),
            channel: None,
        });
        assert_eq!(
            refused.unwrap_err().to_string(),
            "the server reports unknown_channel: no such"
        );
        let other = client.apply_message(snapshot("bars:v:Z:1m"));
        let unknown = StreamProtocolError::UnknownChannel("bars:v:Z:1m".to_owned());
        assert_eq!(other.unwrap_err(), unknown);
    }
}
