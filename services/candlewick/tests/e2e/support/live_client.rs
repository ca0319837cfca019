//! A client of the live stream.
//!
//! The rules of the stream are those of `client::StreamClientState`. What they yield is judged by
//! REST, which answers from the stores and the hub without them.

use std::collections::BTreeMap;
use std::time::Duration;

use client::{AppliedBarChange, StreamClientState, StreamEncoding, StreamSocket};
use clock::SystemClock;
use schemas::api::{BarChangeKind, BarJson, StreamMessage, StreamRequest};
use serde_json::Value;
use tokio::runtime::Runtime;

use super::{TestClient, TestProcess, bars, until};

/// How long a poll waits for a message.
const POLL_TIMEOUT: Duration = Duration::from_millis(2);

/// A client of some intervals of a symbol.
pub(crate) struct LiveClient {
    rest: TestClient,
    runtime: Runtime,
    socket: StreamSocket,
    encoding: StreamEncoding,
    venue: String,
    symbol: String,
    stream: StreamClientState,
    /// How often each bar was closed, by channel and start.
    pub(crate) closes: BTreeMap<(String, String), u32>,
    /// How often each bar was corrected, by channel and start.
    pub(crate) corrections: BTreeMap<(String, String), u32>,
    /// The number of received states of bars that cancels have emptied.
    pub(crate) emptied: u32,
    /// The number of received changes, by kind.
    pub(crate) kinds: BTreeMap<String, u32>,
    /// `recovered` of every snapshot that has it.
    pub(crate) recovered: Vec<bool>,
}

impl LiveClient {
    /// Connects, and receives the first snapshot of every channel.
    pub(crate) fn connect(
        process: &TestProcess,
        encoding: StreamEncoding,
        (venue, symbol): (&str, &str),
        intervals: &[&str],
    ) -> Self {
        let names = intervals
            .iter()
            .map(|interval| format!("bars:{venue}:{symbol}:{interval}"));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let mut client = Self {
            rest: process.client(),
            socket: connect_socket(&runtime, process, encoding),
            runtime,
            encoding,
            venue: venue.to_owned(),
            symbol: symbol.to_owned(),
            stream: StreamClientState::new(names),
            closes: BTreeMap::new(),
            corrections: BTreeMap::new(),
            emptied: 0,
            kinds: BTreeMap::new(),
            recovered: Vec::new(),
        };
        client.send(&client.stream.subscribe_request());
        for _ in intervals {
            let snapshot = client.wait_message();
            assert_eq!(snapshot["type"], "snapshot", "{snapshot}");
            assert_eq!(snapshot.get("recovered"), None, "{snapshot}");
            client.apply_message(&snapshot);
        }
        client
    }

    /// Applies the messages that have arrived.
    pub(crate) fn receive_all(&mut self) {
        while let Some(message) = self.poll_message() {
            self.apply_message(&message);
        }
    }

    /// Connects again, runs `meanwhile`, and resumes from what is held. `epoch_offset` is added to
    /// the epoch of the request; if it is not 0, the server cannot recover.
    pub(crate) fn reconnect(
        &mut self,
        process: &TestProcess,
        epoch_offset: u64,
        meanwhile: impl FnOnce(),
    ) {
        // The old connection ends when it is dropped here.
        self.socket = connect_socket(&self.runtime, process, self.encoding);
        meanwhile();
        let mut request = self.stream.subscribe_request();
        if let StreamRequest::Subscribe { channels } = &mut request {
            for channel in channels {
                channel.epoch = channel.epoch.map(|epoch| epoch + epoch_offset);
            }
        }
        self.send(&request);
        let mut snapshots = 0;
        while snapshots < self.stream.channels().count() {
            let message = self.wait_message();
            if message["type"] == "snapshot" {
                snapshots += 1;
            }
            self.apply_message(&message);
        }
    }

    fn send(&mut self, request: &StreamRequest) {
        self.runtime
            .block_on(self.socket.send_request(request))
            .unwrap();
    }

    /// Returns the next message if it arrives within a few milliseconds.
    fn poll_message(&mut self) -> Option<Value> {
        let message = self.socket.next_message_unless_ping_or_pong();
        let polled = async { clock::timeout(&SystemClock, POLL_TIMEOUT, message).await };
        let message = self.runtime.block_on(polled).ok()?;
        message.unwrap_or_else(|error| panic!("the stream failed: {error}"))
    }

    fn wait_message(&mut self) -> Value {
        until("a message of the stream", || self.poll_message())
    }

    fn apply_message(&mut self, message: &Value) {
        let decoded: StreamMessage = serde_json::from_value(message.clone()).unwrap();
        let applied = self.stream.apply_message(decoded);
        let (name, applied) = applied.unwrap_or_else(|error| panic!("{error}: {message}"));
        self.recovered.extend(applied.recovered);
        let sent = message["bars"].as_array().unwrap();
        assert_eq!(applied.changes.len(), sent.len(), "{message}");
        for (change, sent) in applied.changes.iter().zip(sent) {
            assert_has_members(&change.bar, sent);
            self.count_change(&name, change);
        }
        while let Some((name, request)) = self.stream.history_request() {
            let bars = self.read_bars(&name).into_iter();
            let bars = bars.map(|bar| serde_json::from_value(bar).unwrap());
            self.stream.apply_history(&name, request, bars.collect());
        }
    }

    fn count_change(&mut self, channel: &str, change: &AppliedBarChange) {
        let AppliedBarChange {
            kind,
            bar,
            previous_through,
        } = change;
        let name = match kind {
            Some(kind) => format!("{kind:?}").to_lowercase(),
            None => "snapshot".to_owned(),
        };
        *self.kinds.entry(name).or_default() += 1;
        self.emptied += u32::from(bar.trades == 0);
        let key = (channel.to_owned(), bar.start.clone());
        match kind {
            None => {}
            Some(BarChangeKind::Delta) => {
                assert!(*previous_through < bar.through, "{key:?}: an old delta");
            }
            Some(BarChangeKind::Bar) => assert!(!bar.closed, "{key:?}"),
            Some(BarChangeKind::Close) => {
                assert!(bar.closed, "{key:?}");
                *self.closes.entry(key).or_default() += 1;
            }
            Some(BarChangeKind::Correction) => {
                assert!(bar.closed, "{key:?}");
                *self.corrections.entry(key).or_default() += 1;
            }
        }
    }

    /// Reads the bars of a channel over REST.
    fn read_bars(&self, channel: &str) -> Vec<Value> {
        let interval = channel.rsplit(':').next().unwrap();
        bars(&self.rest, &self.venue, &self.symbol, interval)
    }

    /// Returns the first difference between what the client shows and what REST returns.
    pub(crate) fn difference(&self) -> Option<String> {
        self.stream.channels().find_map(|(name, _)| {
            let read = self.read_bars(name);
            let shown = self.stream.shown_bars(name);
            let shown: Vec<_> = shown.map(to_json).collect();
            let differing = read.iter().zip(&shown).find(|(read, shown)| read != shown);
            match differing {
                Some((read, shown)) => Some(format!("{name}: REST has {read}, shown is {shown}")),
                None if read.len() == shown.len() => None,
                None => Some(format!(
                    "{name}: {} bars, shown {}",
                    read.len(),
                    shown.len()
                )),
            }
        })
    }

    /// Returns the number of bars that the client holds.
    pub(crate) fn bar_count(&self) -> usize {
        let channels = self.stream.channels();
        channels
            .map(|(_, channel)| channel.newest_state_of_each_bar().count())
            .sum()
    }
}

fn connect_socket(
    runtime: &Runtime,
    process: &TestProcess,
    encoding: StreamEncoding,
) -> StreamSocket {
    let url = process.url();
    let connecting = StreamSocket::connect(&url, encoding);
    runtime.block_on(connecting).unwrap()
}

/// Asserts that a bar has every member of what the stream sent of it, with the same value.
fn assert_has_members(bar: &BarJson, sent: &Value) {
    let bar = to_json(bar);
    let members = sent.as_object().unwrap().iter();
    for (name, value) in members.filter(|(name, _)| *name != "kind") {
        assert_eq!(bar.get(name), Some(value), "{name} of {sent}");
    }
}

fn to_json(bar: &BarJson) -> Value {
    serde_json::to_value(bar).unwrap()
}
