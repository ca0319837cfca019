//! A client of the live stream that follows the protocol, and holds what it was told.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Client, Protocol, Standalone, Stream, bars};

/// A bar: its fields.
type Bar = Map<String, Value>;

/// What is held of a channel.
#[derive(Debug, Default, Clone)]
struct Channel {
    epoch: u64,
    seq: i64,
    bars: BTreeMap<String, Bar>,
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

    /// Reads the bars of a channel over REST, and keeps the greater `through`.
    fn read_again(&mut self, name: &str) {
        let interval = name.rsplit(':').next().unwrap();
        let read = bars(&self.client, &self.venue, &self.symbol, interval);
        let held = &mut self.channels.get_mut(name).unwrap().bars;
        for bar in read {
            keep_greater(held, bar.as_object().unwrap().clone());
        }
    }

    fn take(&mut self, message: &Value) {
        let name = message["channel"].as_str().unwrap().to_owned();
        let seq = message["seq"].as_i64().unwrap();
        let entries = message["bars"].as_array().unwrap();
        match message["type"].as_str().unwrap() {
            "snapshot" => {
                let held = self.channels.get_mut(&name).unwrap();
                held.epoch = message["epoch"].as_u64().unwrap();
                held.seq = seq;
                for bar in entries {
                    keep_greater(&mut held.bars, bar.as_object().unwrap().clone());
                }
                if let Some(recovered) = message.get("recovered") {
                    self.recovered.push(recovered == true);
                    if recovered == false {
                        self.read_again(&name);
                    }
                }
            }
            "bars" => {
                let held = &self.channels[&name];
                assert_eq!(message["prev"], held.seq, "it does not follow what is held");
                assert!(seq > held.seq, "{message}");
                for entry in entries {
                    self.change(&name, entry.as_object().unwrap().clone());
                }
                self.channels.get_mut(&name).unwrap().seq = seq;
            }
            other => panic!("a message of type {other}: {message}"),
        }
    }

    /// Takes one bar of a message: what changed of it, or all of it.
    fn change(&mut self, name: &str, mut entry: Bar) {
        let kind = entry.remove("kind").unwrap().as_str().unwrap().to_owned();
        let start = entry["start"].as_str().unwrap().to_owned();
        let place = (name.to_owned(), start.clone());
        *self.kinds.entry(kind.clone()).or_default() += 1;
        let held = &mut self.channels.get_mut(name).unwrap().bars;
        match kind.as_str() {
            "delta" => {
                let bar = held.get_mut(&start);
                let bar = bar.unwrap_or_else(|| panic!("{place:?}: a delta of a bar not held"));
                assert!(place_of(bar) < place_of(&entry), "{place:?}: an old delta");
                bar.extend(entry);
                return;
            }
            "bar" => assert_eq!(entry["closed"], false),
            "close" => {
                assert_eq!(entry["closed"], true);
                *self.closes.entry(place).or_default() += 1;
            }
            "correction" => {
                assert_eq!(entry["closed"], true);
                *self.corrections.entry(place).or_default() += 1;
            }
            other => panic!("a bar of kind {other}"),
        }
        held.insert(start, entry);
    }

    /// Whether what is held is exactly what REST returns, and if not, where it is not.
    pub(crate) fn difference(&self) -> Option<String> {
        self.channels.iter().find_map(|(name, held)| {
            let interval = name.rsplit(':').next().unwrap();
            let read = bars(&self.client, &self.venue, &self.symbol, interval);
            let held: Vec<_> = held.bars.values().cloned().map(Value::Object).collect();
            let differing = read.iter().zip(&held).find(|(read, held)| read != held);
            match differing {
                Some((read, held)) => Some(format!("{name}: REST has {read}, held is {held}")),
                None if read.len() == held.len() => None,
                None => Some(format!("{name}: {} bars, held {}", read.len(), held.len())),
            }
        })
    }

    /// How many bars are held.
    pub(crate) fn len(&self) -> usize {
        self.channels.values().map(|held| held.bars.len()).sum()
    }
}

fn keep_greater(held: &mut BTreeMap<String, Bar>, bar: Bar) {
    let start = bar["start"].as_str().unwrap().to_owned();
    let is_newer = held
        .get(&start)
        .is_none_or(|known| place_of(known) <= place_of(&bar));
    if is_newer {
        held.insert(start, bar);
    }
}

/// The `through` of a bar, which orders its states.
fn place_of(bar: &Bar) -> (u64, u64) {
    let number = |name: &str| bar["through"][name].as_u64().unwrap();
    (number("epoch"), number("offset"))
}
