//! What a client holds of one channel.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// A bar: its fields.
pub(super) type Fields = Map<String, Value>;

/// What a client holds of one channel.
#[derive(Debug, Default)]
pub(super) struct Channel {
    /// The last message, as (epoch, seq).
    last: Option<(u64, i64)>,
    /// What the stream last said of each bar, by start.
    stream: BTreeMap<String, Fields>,
    /// Of each bar the state with the greatest `through` that the stream or REST has told.
    shown: BTreeMap<String, Fields>,
    /// Whether bars are to be read over REST.
    pub(super) wants_history: bool,
}

impl Channel {
    pub(super) const fn held(&self) -> Option<(u64, i64)> {
        self.last
    }

    pub(super) fn shown(&self) -> impl Iterator<Item = &Fields> {
        self.shown.values()
    }

    /// Takes a message.
    ///
    /// # Errors
    /// Where the server has broken a rule.
    pub(super) fn take(&mut self, message: &Value) -> Result<(), String> {
        let seq = message["seq"].as_i64().ok_or("no seq")?;
        if message["type"] == "snapshot" {
            let epoch = message["epoch"].as_u64().ok_or("no epoch")?;
            if message["recovered"] != true {
                self.stream.clear();
                self.wants_history = true;
            } else if self
                .last
                .is_none_or(|(held, last)| held != epoch || last > seq)
            {
                return Err(format!("recovered, though {:?} is held", self.last));
            }
            self.last = Some((epoch, seq));
        } else {
            let (epoch, last) = self.last.ok_or("a message before a snapshot")?;
            if message["prev"] != last || seq <= last {
                // What is held is not what the server thinks: subscribe anew.
                self.last = None;
                return Err(format!("it does not follow {last}, which is held"));
            }
            self.last = Some((epoch, seq));
        }
        for bar in message["bars"].as_array().ok_or("no bars")? {
            self.change(bar.as_object().ok_or("a bar that is no map")?.clone())?;
        }
        Ok(())
    }

    fn change(&mut self, mut bar: Fields) -> Result<(), String> {
        let start = start(&bar)?;
        if bar.remove("kind").is_some_and(|kind| kind == "delta") {
            let Some(held) = self.stream.get(&start) else {
                self.last = None;
                return Err(format!("a delta of {start}, which was never told whole"));
            };
            let mut whole = held.clone();
            whole.extend(bar);
            bar = whole;
        }
        self.stream.insert(start, bar.clone());
        self.show(bar)
    }

    /// Takes what REST has told.
    pub(super) fn read(&mut self, bars: Vec<Value>) {
        for bar in bars {
            if let Value::Object(bar) = bar {
                // One without a start would be seen missing in the end.
                let _ = self.show(bar);
            }
        }
        self.wants_history = false;
    }

    fn show(&mut self, bar: Fields) -> Result<(), String> {
        let start = start(&bar)?;
        let known = self.shown.get(&start);
        if known.is_none_or(|known| through(known) < through(&bar)) {
            self.shown.insert(start, bar);
        }
        Ok(())
    }
}

fn start(bar: &Fields) -> Result<String, String> {
    let start = bar.get("start").and_then(Value::as_str);
    Ok(start.ok_or("a bar without start")?.to_owned())
}

/// What orders the states of a bar.
fn through(bar: &Fields) -> Option<(u64, u64)> {
    let through = bar.get("through")?;
    Some((through["epoch"].as_u64()?, through["offset"].as_u64()?))
}
