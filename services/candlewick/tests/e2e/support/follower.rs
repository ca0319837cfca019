//! A client of the live stream that follows the rules of `docs/stream.md`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::stream::Stream;
use super::{Client, Protocol, Standalone, bars};

/// A bar: its fields.
type Bar = Map<String, Value>;

/// What is held of a channel.
#[derive(Debug, Default, Clone)]
struct Channel {
    epoch: u64,
    seq: i64,
    /// What the stream says of each bar, by start.
    stream: BTreeMap<String, Bar>,
    /// Of each bar the state with the greatest `through` that the stream or REST has said.
    shown: BTreeMap<String, Bar>,
}

/// A client of some intervals of a symbol.
pub(crate) struct Follower {
    client: Client,
    stream: Stream,
    protocol: Protocol,
    venue: String,
    symbol: String,
    channels: BTreeMap<String, Channel>,
    /// How often each bar was told to be closed, and corrected, by channel and start.
    pub(crate) closes: BTreeMap<(String, String), u32>,
    pub(crate) corrections: BTreeMap<(String, String), u32>,
    /// How many entries came of bars that cancels have emptied.
    pub(crate) emptied: u32,
    /// How many entries of each kind came.
    pub(crate) kinds: BTreeMap<String, u32>,
    /// What was answered to attempts to go on.
    pub(crate) recovered: Vec<bool>,
}

impl Follower {
    /// Connects, and holds the first snapshot of every channel when it returns.
    pub(crate) fn connect(
        to: &Standalone,
        protocol: Protocol,
        (venue, symbol): (&str, &str),
        intervals: &[&str],
    ) -> Self {
        let names = intervals
            .iter()
            .map(|interval| format!("bars:{venue}:{symbol}:{interval}"));
        let mut follower = Self {
            client: to.client(),
            stream: Stream::connect(to.address(), protocol),
            protocol,
            venue: venue.to_owned(),
            symbol: symbol.to_owned(),
            channels: names.map(|name| (name, Channel::default())).collect(),
            closes: BTreeMap::new(),
            corrections: BTreeMap::new(),
            emptied: 0,
            kinds: BTreeMap::new(),
            recovered: Vec::new(),
        };
        let wanted: Vec<_> = follower
            .channels
            .keys()
            .map(|name| json!({"channel": name}))
            .collect();
        follower.stream.subscribe(&wanted);
        for _ in 0..wanted.len() {
            let snapshot = follower.stream.next();
            assert_eq!(snapshot["type"], "snapshot", "{snapshot}");
            assert_eq!(snapshot.get("recovered"), None, "{snapshot}");
            follower.take(&snapshot);
        }
        follower
    }

    /// Takes what has come so far.
    pub(crate) fn take_all(&mut self) {
        while let Some(message) = self.stream.poll() {
            self.take(&message);
        }
    }

    /// Leaves, and connects again, to go on from what is held; `epoch_off` is added to the epoch.
    pub(crate) fn reconnect(&mut self, to: &Standalone, epoch_off: u64, meanwhile: impl FnOnce()) {
        // The old connection ends with this.
        self.stream = Stream::connect(to.address(), self.protocol);
        meanwhile();
        let wanted: Vec<_> = self
            .channels
            .iter()
            .map(|(name, held)| {
                json!({"channel": name, "epoch": held.epoch + epoch_off, "seq": held.seq})
            })
            .collect();
        self.stream.subscribe(&wanted);
        let mut answers = 0;
        while answers < wanted.len() {
            let message = self.stream.next();
            if message["type"] == "snapshot" {
                answers += 1;
            }
            self.take(&message);
        }
    }

    fn take(&mut self, message: &Value) {
        let name = message["channel"].as_str().unwrap().to_owned();
        let seq = message["seq"].as_i64().unwrap();
        let held = self.channels.get_mut(&name).unwrap();
        match message["type"].as_str().unwrap() {
            "snapshot" => held.epoch = message["epoch"].as_u64().unwrap(),
            "bars" => {
                assert_eq!(message["prev"], held.seq, "it does not follow what is held");
                assert!(seq > held.seq, "{message}");
            }
            other => panic!("a message of type {other}: {message}"),
        }
        held.seq = seq;
        for entry in message["bars"].as_array().unwrap() {
            self.change(&name, entry.as_object().unwrap().clone());
        }
        if message["type"] == "snapshot" {
            let recovered = message.get("recovered");
            self.recovered
                .extend(recovered.map(|recovered| recovered == true));
            if recovered != Some(&Value::Bool(true)) {
                self.read(&name);
            }
        }
    }

    /// Takes one bar of a message: what changed of it, or all of it.
    fn change(&mut self, name: &str, mut entry: Bar) {
        let start = entry["start"].as_str().unwrap().to_owned();
        let held = self.channels.get_mut(name).unwrap();
        let kind = entry.remove("kind");
        let kind = kind
            .as_ref()
            .map_or("snapshot", |kind| kind.as_str().unwrap());
        *self.kinds.entry(kind.to_owned()).or_default() += 1;
        let place = (name.to_owned(), start.clone());
        match kind {
            "delta" => {
                let whole = held.stream.get(&start).cloned();
                let mut whole = whole.unwrap_or_else(|| panic!("{place:?}: a delta of nothing"));
                assert!(through(&whole) < through(&entry), "{place:?}: an old delta");
                whole.extend(entry);
                entry = whole;
            }
            "snapshot" => {}
            "bar" => assert_eq!(entry["closed"], false),
            "close" | "correction" => {
                assert_eq!(entry["closed"], true);
                let counts = match kind {
                    "close" => &mut self.closes,
                    _ => &mut self.corrections,
                };
                *counts.entry(place).or_default() += 1;
            }
            other => panic!("a bar of kind {other}"),
        }
        self.emptied += u32::from(is_empty(&entry));
        held.stream.insert(start, entry.clone());
        held.show(entry);
    }

    /// Reads the history of a channel over REST.
    fn read(&mut self, name: &str) {
        let interval = name.rsplit(':').next().unwrap();
        let read = bars(&self.client, &self.venue, &self.symbol, interval);
        for bar in read {
            let held = self.channels.get_mut(name).unwrap();
            held.show(bar.as_object().unwrap().clone());
        }
    }

    /// Where what is shown is not exactly what REST returns.
    pub(crate) fn difference(&self) -> Option<String> {
        self.channels.iter().find_map(|(name, held)| {
            let interval = name.rsplit(':').next().unwrap();
            let read = bars(&self.client, &self.venue, &self.symbol, interval);
            let shown = held.shown.values().filter(|bar| !is_empty(bar));
            let held: Vec<_> = shown.cloned().map(Value::Object).collect();
            let differing = read.iter().zip(&held).find(|(read, held)| read != held);
            match differing {
                Some((read, held)) => Some(format!("{name}: REST has {read}, shown is {held}")),
                None if read.len() == held.len() => None,
                None => Some(format!("{name}: {} bars, shown {}", read.len(), held.len())),
            }
        })
    }

    /// How many bars are shown.
    pub(crate) fn len(&self) -> usize {
        self.channels.values().map(|held| held.shown.len()).sum()
    }
}

impl Channel {
    fn show(&mut self, bar: Bar) {
        let start = bar["start"].as_str().unwrap();
        let known = self.shown.get(start);
        if known.is_none_or(|known| through(known) < through(&bar)) {
            self.shown.insert(start.to_owned(), bar);
        }
    }
}

/// Whether cancels have emptied the window: such a bar is held, and not shown.
fn is_empty(bar: &Bar) -> bool {
    bar["trades"] == 0
}

/// What orders the states of a bar.
fn through(bar: &Bar) -> (u64, u64) {
    let number = |name: &str| bar["through"][name].as_u64().unwrap();
    (number("epoch"), number("offset"))
}
