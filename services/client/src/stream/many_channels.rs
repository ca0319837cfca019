//! The channels that a client follows over one connection.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{AppliedMessage, Bar, ChannelState, HistoryRequest, StreamError};

/// A client of any number of channels, which follows the rules of the stream and does no I/O.
///
/// After connecting to any pod the caller sends [`StreamClient::subscribe_request`], passes every
/// message to [`StreamClient::apply_message`], and reads over REST what
/// [`StreamClient::history_request`] names. After an error it connects again.
#[derive(Debug, Clone, Default)]
pub struct StreamClient {
    channels: BTreeMap<String, ChannelState>,
}

impl StreamClient {
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
    pub fn shown_bars(&self, channel: &str) -> impl Iterator<Item = &Bar> {
        let channel = self.channels.get(channel).into_iter();
        let bars = channel.flat_map(ChannelState::newest_bars);
        bars.filter(|bar| !bar.is_empty())
    }

    /// Returns the request that subscribes to every channel, each from where the client holds it.
    #[must_use]
    pub fn subscribe_request(&self) -> Value {
        let channels = self.channels.iter();
        let channels = channels.map(|(name, channel)| match channel.position() {
            Some(held) => json!({"channel": name, "epoch": held.epoch, "seq": held.seq}),
            None => json!({"channel": name}),
        });
        let channels: Vec<Value> = channels.collect();
        json!({"op": "subscribe", "channels": channels})
    }

    /// Applies a message of the stream; returns the name of its channel and what changed.
    ///
    /// # Errors
    /// [`StreamError`], if the message reports an error or breaks a rule of the stream.
    pub fn apply_message(
        &mut self,
        message: &Value,
    ) -> Result<(String, AppliedMessage), StreamError> {
        let text = |field: &str| message[field].as_str().unwrap_or_default().to_owned();
        let name = text("channel");
        match message["type"].as_str() {
            Some("snapshot" | "bars") => {}
            Some("error") => {
                let (code, detail) = (text("code"), text("detail"));
                return Err(StreamError::Refused { code, detail });
            }
            _ => return Err(StreamError::Malformed("a message of an unknown type")),
        }
        let Some(channel) = self.channels.get_mut(&name) else {
            return Err(StreamError::UnknownChannel(name));
        };
        let applied = channel.apply_message(message)?;
        Ok((name, applied))
    }

    /// Returns a channel whose bars have to be read over REST, with the request to be passed to
    /// [`StreamClient::apply_history`] together with what [`bars_path`] returns; `None` if there is
    /// no such channel.
    #[must_use]
    pub fn history_request(&self) -> Option<(String, HistoryRequest)> {
        let mut channels = self.channels.iter();
        channels.find_map(|(name, channel)| Some((name.clone(), channel.history_request()?)))
    }

    /// Applies a channel's bars that were read over REST.
    ///
    /// # Errors
    /// [`StreamError::UnknownChannel`] and [`StreamError::Malformed`].
    pub fn apply_history(
        &mut self,
        channel: &str,
        request: HistoryRequest,
        bars: Vec<Value>,
    ) -> Result<(), StreamError> {
        let state = self.channels.get_mut(channel);
        let state = state.ok_or_else(|| StreamError::UnknownChannel(channel.to_owned()))?;
        state.apply_history(request, bars)
    }
}

/// Returns the path of the REST request for all bars of a channel; `None` if the name is not
/// `bars:VENUE:SYMBOL:INTERVAL`.
#[must_use]
pub fn bars_path(channel: &str) -> Option<String> {
    let mut parts = channel.strip_prefix("bars:")?.split(':');
    let (venue, symbol, interval) = (parts.next()?, parts.next()?, parts.next()?);
    Some(format!(
        "/api/v1/bars/{venue}/{symbol}?interval={interval}&start=0&limit=10000"
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{StreamClient, StreamError, bars_path};

    #[test]
    fn the_path_of_a_channels_bars_is_derived_from_its_name() {
        let path = "/api/v1/bars/v/X?interval=1m&start=0&limit=10000";
        assert_eq!(bars_path("bars:v:X:1m").as_deref(), Some(path));
        assert_eq!(bars_path("bars:v:X"), None);
        assert_eq!(bars_path("trades:v:X:1m"), None);
    }

    #[test]
    fn a_subscription_resumes_from_what_is_held() {
        let mut client = StreamClient::new(["bars:v:X:1m", "bars:v:Y:1m"].map(str::to_owned));
        let snapshot = json!({"type": "snapshot", "channel": "bars:v:X:1m", "epoch": 7, "seq": 3,
            "bars": []});
        client.apply_message(&snapshot).unwrap();
        let expected = json!({"op": "subscribe", "channels": [
            {"channel": "bars:v:X:1m", "epoch": 7, "seq": 3}, {"channel": "bars:v:Y:1m"}]});
        assert_eq!(client.subscribe_request(), expected);
    }

    #[test]
    fn history_is_requested_until_it_was_read_after_the_snapshot() {
        let name = "bars:v:X:1m";
        let mut client = StreamClient::new([name.to_owned()]);
        assert_eq!(client.history_request(), None);
        let snapshot =
            json!({"type": "snapshot", "channel": name, "epoch": 7, "seq": 3, "bars": []});
        client.apply_message(&snapshot).unwrap();
        let (channel, first) = client.history_request().unwrap();
        assert_eq!(channel, name);
        // Another snapshot comes before the response to the first request.
        client.apply_message(&snapshot).unwrap();
        client.apply_history(name, first, Vec::new()).unwrap();
        let (_, second) = client.history_request().unwrap();
        client.apply_history(name, second, Vec::new()).unwrap();
        assert_eq!(client.history_request(), None);
    }

    #[test]
    fn errors_and_messages_of_other_channels_are_reported() {
        let mut client = StreamClient::new(["bars:v:X:1m".to_owned()]);
        let error = json!({"type": "error", "code": "unknown_channel", "detail": "no such"});
        let refused = client.apply_message(&error).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the server reports unknown_channel: no such"
        );
        let other = json!({"type": "bars", "channel": "bars:v:Z:1m", "seq": 1, "prev": 0,
            "bars": []});
        let unknown = StreamError::UnknownChannel("bars:v:Z:1m".to_owned());
        assert_eq!(client.apply_message(&other).unwrap_err(), unknown);
    }
}
