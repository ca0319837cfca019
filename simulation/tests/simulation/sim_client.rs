//! A client of the live stream that moves between pods.
//!
//! The rules of the stream are those of `client::ChannelState`, which real clients use too; here
//! they are driven by the hub's messages, without a socket.

use std::sync::Arc;

use api::{
    ChannelName, ConnectionChangedChannels, EncodedMessage, Hub, StreamEncoding, Subscription,
};
use client::{ChannelState, HistoryRequest};
use market::BarRow;
use schemas::api::{BarChangeKind, BarJson, StreamMessage};

use crate::mutant::Mutant;
use crate::pod::{Pod, newest_rows};
use crate::random::Random;
use crate::trade_producer::PARTITIONS;

/// A request to a pod that takes several steps.
enum PendingRequest {
    None,
    /// A snapshot: the hub was read, the store was not yet.
    Snapshot {
        held: Vec<BarRow>,
        recovered: Option<bool>,
    },
    /// All bars over REST: `held` is what the hub returned, `None` if it was not read yet.
    History {
        request: HistoryRequest,
        held: Option<Vec<BarRow>>,
    },
}

struct Connection {
    pod: Pod,
    changed_channels: Arc<ConnectionChangedChannels>,
    subscription: Subscription,
}

pub struct SimClient {
    pub name: ChannelName,
    partition: u32,
    random: Random,
    mutant: Option<Mutant>,
    connection: Option<Connection>,
    pending: PendingRequest,
    channel: ChannelState,
    /// Every whole state of a bar that the client received, for the checks at the end of the run.
    pub received: Vec<BarJson>,
    pub messages: u64,
    pub deltas: u64,
    pub resumed: u64,
    pub not_recovered: u64,
}

impl SimClient {
    pub fn new(name: ChannelName, random: &Random, mutant: Option<Mutant>) -> Self {
        Self {
            partition: schemas::partition_of(name.instrument.key().as_bytes(), PARTITIONS),
            name,
            random: random.clone(),
            mutant,
            connection: None,
            pending: PendingRequest::None,
            channel: ChannelState::default(),
            received: Vec::new(),
            messages: 0,
            deltas: 0,
            resumed: 0,
            not_recovered: 0,
        }
    }

    /// Returns the newest state of each bar that the client holds.
    pub fn newest_state_of_each_bar(&self) -> impl Iterator<Item = &BarJson> {
        self.channel.newest_state_of_each_bar()
    }

    pub fn disconnect(&mut self) {
        if let Some(Connection {
            pod,
            changed_channels,
            ..
        }) = self.connection.take()
        {
            pod.hub.unsubscribe(&self.name, &changed_channels);
            // A request over REST is a connection of its own.
            if !matches!(self.pending, PendingRequest::History { .. }) {
                self.pending = PendingRequest::None;
            }
        }
    }

    /// Disconnects if the client is connected to this pod.
    pub fn lose_pod(&mut self, number: u64) {
        let connection = self.connection.as_ref();
        if connection.is_some_and(|connection| connection.pod.number == number) {
            self.disconnect();
        }
    }

    /// Takes one step; returns whether there was anything to do.
    pub fn step(&mut self, pods: &[Pod]) -> Result<bool, String> {
        match std::mem::replace(&mut self.pending, PendingRequest::None) {
            PendingRequest::Snapshot { held, recovered } => {
                self.receive_snapshot(held, recovered)?;
                return Ok(true);
            }
            PendingRequest::History { request, held } => {
                let pod = self.random.choose(pods).clone();
                self.read_history(request, held, &pod);
                return Ok(true);
            }
            PendingRequest::None => {}
        }
        let Some(connection) = &self.connection else {
            self.connect(self.random.choose(pods).clone())?;
            return Ok(true);
        };
        if let Some(request) = self.channel.history_request() {
            let held = None;
            self.pending = PendingRequest::History { request, held };
            return Ok(true);
        }
        if connection.changed_channels.take_changed().is_empty() {
            return Ok(false);
        }
        self.receive_changes()
    }

    fn connect(&mut self, pod: Pod) -> Result<(), String> {
        let changed_channels = Arc::default();
        pod.hub
            .subscribe(&self.name, self.partition, &changed_channels);
        let mut subscription = Subscription::new(self.name.clone(), self.partition);
        let hub = pod.hub.clone();
        let position = self.channel.position();
        let resumed = position.and_then(|held| {
            hub.resume_message(
                &mut subscription,
                held.epoch,
                held.seq,
                StreamEncoding::MessagePack,
            )
        });
        let held = pod.hub_rows(&self.name);
        self.connection = Some(Connection {
            pod,
            changed_channels,
            subscription,
        });
        match resumed {
            Some(message) => {
                self.resumed += 1;
                self.apply_message(&message)
            }
            None => {
                let recovered = position.map(|_| false);
                self.pending = PendingRequest::Snapshot { held, recovered };
                Ok(())
            }
        }
    }

    fn receive_snapshot(
        &mut self,
        mut rows: Vec<BarRow>,
        recovered: Option<bool>,
    ) -> Result<(), String> {
        let Some(connection) = &mut self.connection else {
            return Ok(());
        };
        let stored = connection.pod.stored_rows(&self.name);
        rows.extend(stored.into_iter().rev().take(2));
        let Connection {
            pod, subscription, ..
        } = connection;
        let message =
            pod.hub
                .snapshot_message(subscription, rows, recovered, StreamEncoding::MessagePack);
        self.apply_message(&message)
    }

    /// Reads all bars as REST does, in two steps: the hub, then the store of the same pod.
    fn read_history(&mut self, request: HistoryRequest, held: Option<Vec<BarRow>>, pod: &Pod) {
        let Some(held) = held else {
            let held = Some(pod.hub_rows(&self.name));
            self.pending = PendingRequest::History { request, held };
            return;
        };
        let rows = newest_rows(held.into_iter().chain(pod.stored_rows(&self.name)));
        let bars = rows.values();
        let bars: Vec<_> = bars
            .map(|row| BarJson::from_row(row, self.partition))
            .collect();
        self.received.extend(bars.iter().cloned());
        self.channel.apply_history(request, bars);
    }

    fn receive_changes(&mut self) -> Result<bool, String> {
        let connection = self.connection.as_mut().expect("connected");
        let hub: Hub = connection.pod.hub.clone();
        if self.mutant == Some(Mutant::DeltaWithoutPrev) && self.random.one_in(6) {
            // The hub believes that this message arrived, so the next is a delta from it.
            let _ = hub.next_message(&mut connection.subscription, StreamEncoding::MessagePack);
            return Ok(true);
        }
        match hub.next_message(&mut connection.subscription, StreamEncoding::MessagePack) {
            Ok(Some(message)) => self.apply_message(&message)?,
            Ok(None) => {}
            Err(_) => {
                let held = connection.pod.hub_rows(&self.name);
                self.pending = PendingRequest::Snapshot {
                    held,
                    recovered: Some(false),
                };
            }
        }
        Ok(true)
    }

    fn apply_message(&mut self, message: &EncodedMessage) -> Result<(), String> {
        self.messages += 1;
        let message = rmp_serde::from_slice(&message.bytes);
        let mut message: StreamMessage = message.map_err(|error| error.to_string())?;
        if let (StreamMessage::Bars { prev, .. }, Some(_), Some(held)) =
            (&mut message, self.mutant, self.channel.position())
        {
            // A mutant must be caught by what it does to the bars, not by the check of `prev`.
            *prev = held.seq;
        }
        if let (StreamMessage::Snapshot { epoch_ends, .. }, true) = (
            &mut message,
            self.mutant == Some(Mutant::ClientKeepsStatesBeyondEpochEnd),
        ) {
            epoch_ends.clear();
        }
        let applied = self.channel.apply_message(message);
        let applied = applied.map_err(|error| format!("{}: {error}", self.name))?;
        self.not_recovered += u64::from(applied.recovered == Some(false));
        for change in applied.changes {
            self.deltas += u64::from(change.kind == Some(BarChangeKind::Delta));
            self.received.push(change.bar);
        }
        Ok(())
    }
}
