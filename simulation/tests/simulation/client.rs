//! A client that follows the protocol, and moves between pods.
//!
//! It keeps what the stream says of each bar, in the stream's order, and shows of each bar the
//! state with the greatest `through` that it was ever told, by the stream or by REST.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::{ChannelName, Encoding, Hub, Mailbox, Message, Subscription};
use market::{BarRow, parse_time};
use schemas::api::BarJson;
use serde_json::{Map, Value};

use crate::pod::{Pod, newest};
use crate::random::Random;
use crate::trades::PARTITIONS;
use crate::world::Mutant;

/// A bar as the client holds it: the fields of its JSON.
type Fields = Map<String, Value>;

/// Where a request for a snapshot or for history is.
enum Asking {
    Nothing,
    /// The hub was read, the store not yet.
    Snapshot {
        held: Vec<BarRow>,
        recovered: Option<bool>,
    },
    History {
        held: Option<Vec<BarRow>>,
    },
}

struct Connection {
    pod: Pod,
    mailbox: Arc<Mailbox>,
    subscription: Subscription,
}

pub struct Client {
    pub name: ChannelName,
    partition: u32,
    random: Random,
    mutant: Option<Mutant>,
    connection: Option<Connection>,
    asking: Asking,
    wants_history: bool,
    /// The last message, as (epoch, seq).
    last: Option<(u64, i64)>,
    stream: BTreeMap<i64, Fields>,
    pub shown: BTreeMap<i64, Fields>,
    /// Every state that was told, for the world to check.
    pub told: Vec<Fields>,
    pub messages: u64,
    pub deltas: u64,
    pub resumed: u64,
    pub not_recovered: u64,
}

impl Client {
    pub fn new(name: ChannelName, random: &Random, mutant: Option<Mutant>) -> Self {
        Self {
            partition: schemas::partition_of(name.instrument.key().as_bytes(), PARTITIONS),
            name,
            random: random.clone(),
            mutant,
            connection: None,
            asking: Asking::Nothing,
            wants_history: true,
            last: None,
            stream: BTreeMap::new(),
            shown: BTreeMap::new(),
            told: Vec::new(),
            messages: 0,
            deltas: 0,
            resumed: 0,
            not_recovered: 0,
        }
    }

    pub fn disconnect(&mut self) {
        if let Some(Connection { pod, mailbox, .. }) = self.connection.take() {
            pod.hub.unsubscribe(&self.name, &mailbox);
            if !matches!(self.asking, Asking::History { .. }) {
                self.asking = Asking::Nothing;
            }
        }
    }

    pub fn lose_pod(&mut self, number: u64) {
        if self
            .connection
            .as_ref()
            .is_some_and(|connection| connection.pod.number == number)
        {
            self.disconnect();
        }
    }

    /// Does one thing; answers whether there was anything to do.
    pub fn step(&mut self, pods: &[Pod]) -> Result<bool, String> {
        match std::mem::replace(&mut self.asking, Asking::Nothing) {
            Asking::Snapshot { held, recovered } => return self.snapshot(held, recovered),
            Asking::History { held } => {
                let pod = self.random.choose(pods).clone();
                self.history(held, &pod);
                return Ok(true);
            }
            Asking::Nothing => {}
        }
        let Some(connection) = &self.connection else {
            self.connect(self.random.choose(pods).clone())?;
            return Ok(true);
        };
        if self.wants_history && self.last.is_some() {
            self.wants_history = false;
            self.asking = Asking::History { held: None };
            return Ok(true);
        }
        if connection.mailbox.take_changed().is_empty() {
            return Ok(false);
        }
        self.read_news()
    }

    fn connect(&mut self, pod: Pod) -> Result<(), String> {
        let mailbox = Arc::default();
        pod.hub.subscribe(&self.name, self.partition, &mailbox);
        let mut subscription = Subscription::new(self.name.clone(), self.partition);
        let hub = pod.hub.clone();
        let resumed = self.last.and_then(|(epoch, seq)| {
            hub.resume(&mut subscription, epoch, seq, Encoding::MessagePack)
        });
        let held = pod.held(&self.name);
        self.connection = Some(Connection {
            pod,
            mailbox,
            subscription,
        });
        match resumed {
            Some(message) => {
                self.resumed += 1;
                self.take(&message)
            }
            None => {
                let recovered = self.last.map(|_| false);
                self.asking = Asking::Snapshot { held, recovered };
                Ok(())
            }
        }
    }

    fn snapshot(&mut self, mut rows: Vec<BarRow>, recovered: Option<bool>) -> Result<bool, String> {
        let Some(connection) = &mut self.connection else {
            return Ok(true);
        };
        let stored = connection.pod.stored(&self.name);
        rows.extend(stored.into_iter().rev().take(2));
        let Connection {
            pod, subscription, ..
        } = connection;
        let message = pod
            .hub
            .snapshot(subscription, rows, recovered, Encoding::MessagePack);
        self.take(&message)?;
        Ok(true)
    }

    /// REST, in two steps: the hub, then the store of the same pod.
    fn history(&mut self, held: Option<Vec<BarRow>>, pod: &Pod) {
        let Some(held) = held else {
            self.asking = Asking::History {
                held: Some(pod.held(&self.name)),
            };
            return;
        };
        for row in newest(held.into_iter().chain(pod.stored(&self.name))).into_values() {
            self.show(fields(&row, self.partition));
        }
    }

    fn read_news(&mut self) -> Result<bool, String> {
        let connection = self.connection.as_mut().expect("connected");
        let hub: Hub = connection.pod.hub.clone();
        if self.mutant == Some(Mutant::DeltaToAnyone) && self.random.one_in(6) {
            // The hub believes that this message arrived, so the next is a delta from it.
            let _ = hub.next_message(&mut connection.subscription, Encoding::MessagePack);
            return Ok(true);
        }
        let connection = self.connection.as_mut().expect("connected");
        match hub.next_message(&mut connection.subscription, Encoding::MessagePack) {
            Ok(Some(message)) => self.take(&message)?,
            Ok(None) => {}
            Err(_) => {
                let held = connection.pod.held(&self.name);
                self.asking = Asking::Snapshot {
                    held,
                    recovered: Some(false),
                };
            }
        }
        Ok(true)
    }

    fn take(&mut self, message: &Message) -> Result<(), String> {
        self.messages += 1;
        let value: Value =
            rmp_serde::from_slice(&message.bytes).map_err(|error| error.to_string())?;
        let seq = value["seq"].as_i64().ok_or("a message without seq")?;
        if value["type"] == "snapshot" {
            let epoch = value["epoch"].as_u64().ok_or("a snapshot without epoch")?;
            self.last = Some((epoch, seq));
            if value["recovered"] != true {
                self.stream.clear();
            }
            if value["recovered"] == false {
                self.not_recovered += 1;
                self.wants_history = true;
            }
        } else {
            let (epoch, last) = self.last.ok_or("a message before a snapshot")?;
            if seq <= last {
                return Err(format!("{}: message {seq} after {last}", self.name));
            }
            if value["prev"] != last && self.mutant.is_none() {
                return Err(format!(
                    "{}: prev {} while {last} is held",
                    self.name, value["prev"]
                ));
            }
            self.last = Some((epoch, seq));
        }
        for bar in value["bars"].as_array().ok_or("a message without bars")? {
            self.apply(bar.as_object().ok_or("a bar that is no map")?)?;
        }
        Ok(())
    }

    fn apply(&mut self, bar: &Fields) -> Result<(), String> {
        let start_ns = start_of(bar)?;
        let mut fields = bar.clone();
        let delta = fields.remove("kind").is_some_and(|kind| kind == "delta");
        if delta {
            self.deltas += 1;
            let held = self.stream.get(&start_ns);
            let mut whole = held.cloned().unwrap_or_default();
            whole.extend(fields);
            fields = whole;
        }
        self.stream.insert(start_ns, fields.clone());
        self.show(fields);
        Ok(())
    }

    fn show(&mut self, fields: Fields) {
        self.told.push(fields.clone());
        let Ok(start_ns) = start_of(&fields) else {
            return;
        };
        let known = self.shown.get(&start_ns);
        if known.is_none_or(|known| through(known) < through(&fields)) {
            self.shown.insert(start_ns, fields);
        }
    }
}

fn start_of(fields: &Fields) -> Result<i64, String> {
    let start = fields
        .get("start")
        .and_then(Value::as_str)
        .ok_or("a bar without start")?;
    parse_time(start).map_err(|error| error.to_string())
}

pub fn through(fields: &Fields) -> Option<(u64, u64)> {
    let through = fields.get("through")?;
    Some((through["epoch"].as_u64()?, through["offset"].as_u64()?))
}

/// A row as a client that was told all of it holds it.
pub fn fields(row: &BarRow, partition: u32) -> Fields {
    let value = serde_json::to_value(BarJson::from_row(row, partition)).expect("a bar is JSON");
    value.as_object().expect("a bar is a map").clone()
}
