//! One connection: the client's requests and the messages to it.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message as Frame, WebSocket};
use backend::Backend;
use bytes::Bytes;
use clock::Clock;
use hashbrown::HashMap;
use schemas::api::{ChannelSubscriptionJson, StreamMessage, StreamRequest};
use store::{BarQuery, BarReader};

use super::client_channel_name::ClientChannelName;
use super::disconnection::{CloseReason, Disconnection};
use super::generation_check::GenerationCheck;
use super::request::decode_stream_request;
use crate::hub::{
    ChannelName, ConnectionChangedChannels, EncodedMessage, StreamEncoding, Subscription,
};
use crate::state::ApiState;
use crate::store_damage::StoreDamage;

/// The greatest number of channels of a connection.
const MAX_CHANNELS: usize = 1_000;
/// The number of bars that a snapshot reads from the store.
const SNAPSHOT_BARS: u32 = 2;
/// How long a client may take to receive a message.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection is silent before the client is pinged.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// How often the connection looks whether names of venues mean another generation.
const GENERATION_CHECK_INTERVAL: Duration = Duration::from_secs(5);
/// How long the store may take to read the bars of a snapshot, or the settings of a venue.
const STORE_TIMEOUT: Duration = Duration::from_secs(5);

/// One client of the live stream.
pub(super) struct StreamConnection<B: Backend> {
    pub(super) state: ApiState<B>,
    socket: WebSocket,
    encoding: StreamEncoding,
    pub(super) changed_channels: Arc<ConnectionChangedChannels>,
    pub(super) subscriptions: HashMap<ChannelName, NamedSubscription>,
    pub(super) generations: GenerationCheck,
}

/// A subscription, and the name by which the client knows its channel.
pub(super) struct NamedSubscription {
    pub(super) named: ClientChannelName,
    pub(super) subscription: Subscription,
}

impl<B: Backend> StreamConnection<B> {
    pub(super) fn new(state: ApiState<B>, socket: WebSocket, encoding: StreamEncoding) -> Self {
        Self {
            state,
            socket,
            encoding,
            changed_channels: Arc::default(),
            subscriptions: HashMap::new(),
            generations: GenerationCheck::default(),
        }
    }

    /// Serves the client until it leaves, breaks a rule or is too slow, or the process drains.
    pub(super) async fn run(mut self) {
        let disconnection = self.serve_until_disconnection().await;
        let clock = self.state.clock.clone();
        disconnection.finish(&mut self.socket, &clock).await;
    }

    async fn serve_until_disconnection(&mut self) -> Disconnection {
        let clock = self.state.clock.clone();
        let changed_channels = Arc::clone(&self.changed_channels);
        let stop = self.state.stop.clone();
        let mut generation_check = pin!(clock.sleep(GENERATION_CHECK_INTERVAL));
        loop {
            let result = tokio::select! {
                biased;
                () = stop.cancelled() => Err(Disconnection::ByServer(CloseReason::Stopping)),
                frame = self.socket.recv() => match frame {
                    Some(Ok(frame)) => self.handle_frame(frame).await,
                    Some(Err(error)) => Err(Disconnection::from_receive_error(error)),
                    None => Err(Disconnection::Lost),
                },
                () = &mut generation_check => {
                    generation_check.set(clock.sleep(GENERATION_CHECK_INTERVAL));
                    self.follow_generations().await
                }
                () = changed_channels.wait_for_change() => self.send_changes().await,
                () = clock.sleep(PING_INTERVAL) => self.send(Frame::Ping(Bytes::new())).await,
            };
            if let Err(disconnection) = result {
                return disconnection;
            }
        }
    }

    async fn handle_frame(&mut self, frame: Frame) -> Result<(), Disconnection> {
        let request = match &frame {
            Frame::Text(text) => decode_stream_request(text.as_bytes(), StreamEncoding::Json),
            Frame::Binary(bytes) => decode_stream_request(bytes, self.encoding),
            Frame::Close(_) => return Err(Disconnection::ByClient),
            Frame::Ping(_) | Frame::Pong(_) => return Ok(()),
        };
        match request {
            Ok(StreamRequest::Subscribe { channels }) => {
                for channel in channels {
                    self.handle_subscribe(channel).await?;
                }
                Ok(())
            }
            Ok(StreamRequest::Unsubscribe { channels }) => {
                for channel in channels {
                    self.handle_unsubscribe(&channel).await?;
                }
                Ok(())
            }
            Err(detail) => {
                let detail = format!(
                    "{detail}; {{\"op\":\"subscribe\",\"channels\":[{{\"channel\":\"bars:venue:symbol:1m\"}}]}} is expected"
                );
                self.send_error("malformed_request", detail, None).await
            }
        }
    }

    async fn handle_subscribe(
        &mut self,
        request: ChannelSubscriptionJson,
    ) -> Result<(), Disconnection> {
        let named: ClientChannelName = match request.channel.parse() {
            Ok(named) => named,
            Err(error) => {
                let detail = format!("{error}");
                return self
                    .send_error("unknown_channel", detail, Some(&request.channel))
                    .await;
            }
        };
        let name = self
            .resolve_channel_or_disconnect(&named, request.generation)
            .await?;
        let is_new = !self.subscriptions.contains_key(&name);
        if is_new && self.subscriptions.len() >= MAX_CHANNELS {
            let detail = format!("a connection may have {MAX_CHANNELS} channels");
            return self
                .send_error("too_many_channels", detail, Some(&request.channel))
                .await;
        }
        let mut subscription = self.add_subscription(&named, &name);
        let is_same_generation = request.generation == subscription.generation();
        let message = match (request.epoch, request.seq) {
            (Some(epoch), Some(seq)) => {
                let hub = &self.state.hub;
                let resume = || hub.resume_message(&mut subscription, epoch, seq, self.encoding);
                match is_same_generation.then(resume).flatten() {
                    Some(message) => message,
                    None => self.read_snapshot(&mut subscription, Some(false)).await?,
                }
            }
            _ => self.read_snapshot(&mut subscription, None).await?,
        };
        self.keep_subscription(subscription);
        self.send_message(message).await
    }

    /// Subscribes to a channel. The hub tells the connection of every change from now on.
    pub(super) fn add_subscription(
        &mut self,
        named: &ClientChannelName,
        name: &ChannelName,
    ) -> Subscription {
        let partition = self.state.partition_of(&name.instrument);
        self.state
            .hub
            .subscribe(name, partition, &self.changed_channels);
        let subscription =
            Subscription::new(name.clone(), partition).with_public_name(named.to_string());
        // Before anything that can fail, so that the hub forgets this connection when it ends.
        let added = NamedSubscription {
            named: named.clone(),
            subscription: subscription.clone(),
        };
        self.subscriptions.insert(name.clone(), added);
        subscription
    }

    pub(super) fn keep_subscription(&mut self, subscription: Subscription) {
        if let Some(known) = self.subscriptions.get_mut(subscription.name()) {
            known.subscription = subscription;
        }
    }

    async fn handle_unsubscribe(&mut self, channel: &str) -> Result<(), Disconnection> {
        let named: Option<ClientChannelName> = channel.parse().ok();
        let mut known = self.subscriptions.iter();
        let known = known.find(|(_, known)| Some(&known.named) == named.as_ref());
        match known.map(|(name, _)| name.clone()) {
            Some(name) => {
                self.subscriptions.remove(&name);
                self.state.hub.unsubscribe(&name, &self.changed_channels);
                Ok(())
            }
            None => {
                let detail = "the connection has no such channel".to_owned();
                self.send_error("not_subscribed", detail, Some(channel))
                    .await
            }
        }
    }

    /// Returns the channel that the client means. If the store does not respond, the connection
    /// ends.
    pub(super) async fn resolve_channel_or_disconnect(
        &mut self,
        named: &ClientChannelName,
        least_generation: u16,
    ) -> Result<ChannelName, Disconnection> {
        let resolved = self.state.resolve_channel(named, least_generation);
        let reason = match clock::timeout(&self.state.clock, STORE_TIMEOUT, resolved).await {
            Ok(Ok(name)) => return Ok(name),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        Err(store_unavailable(&reason, named))
    }

    /// Returns a snapshot of a channel. It reads the hub, then the store, then the hub again: a bar
    /// that leaves the hub in between is in what was read before. If the store does not respond,
    /// the connection ends.
    pub(super) async fn read_snapshot(
        &mut self,
        subscription: &mut Subscription,
        recovered: Option<bool>,
    ) -> Result<EncodedMessage, Disconnection> {
        let name = subscription.name().clone();
        let mut rows = self.state.hub.held_bars(&name.instrument, name.interval);
        let query = BarQuery {
            instrument: name.instrument.clone(),
            interval: name.interval,
            start_ns: 0,
            end_ns: i64::MAX,
            limit: SNAPSHOT_BARS,
            keep_newest: true,
        };
        let stored = self.state.bars.bar_range(&query);
        let reason = match clock::timeout(&self.state.clock, STORE_TIMEOUT, stored).await {
            Ok(Ok(stored)) => {
                rows.extend(stored);
                let hub = &self.state.hub;
                return Ok(hub.snapshot_message(subscription, rows, recovered, self.encoding));
            }
            Ok(Err(error)) => {
                if let Some(damage) = StoreDamage::from_error(&error) {
                    self.state.store_damage().report(&damage);
                }
                error.to_string()
            }
            Err(error) => error.to_string(),
        };
        Err(store_unavailable(&reason, &name))
    }

    /// Sends the next messages of the channels that have changed.
    async fn send_changes(&mut self) -> Result<(), Disconnection> {
        for name in self.changed_channels.take_changed() {
            let Some(known) = self.subscriptions.get_mut(&name) else {
                continue;
            };
            let subscription = &mut known.subscription;
            let message = match self.state.hub.next_message(subscription, self.encoding) {
                Ok(message) => message,
                Err(_) => {
                    let mut subscription = subscription.clone();
                    let message = self.read_snapshot(&mut subscription, Some(false)).await?;
                    self.keep_subscription(subscription);
                    Some(message)
                }
            };
            if let Some(message) = message {
                self.send_message(message).await?;
            }
        }
        Ok(())
    }

    async fn send_error(
        &mut self,
        code: &str,
        detail: String,
        channel: Option<&str>,
    ) -> Result<(), Disconnection> {
        let error: StreamMessage<()> = StreamMessage::Error {
            code: code.to_owned(),
            detail,
            channel: channel.map(ToOwned::to_owned),
        };
        let bytes = self.encoding.encode(&error);
        self.send_bytes(bytes).await
    }

    pub(super) async fn send_message(
        &mut self,
        message: EncodedMessage,
    ) -> Result<(), Disconnection> {
        self.send_bytes(message.bytes).await
    }

    async fn send_bytes(&mut self, bytes: Bytes) -> Result<(), Disconnection> {
        let frame = match self.encoding {
            StreamEncoding::MessagePack => Frame::Binary(bytes),
            StreamEncoding::Json => Frame::Text(bytes.try_into().expect("JSON is UTF-8")),
        };
        self.send(frame).await
    }

    async fn send(&mut self, frame: Frame) -> Result<(), Disconnection> {
        let clock = self.state.clock.clone();
        match clock::timeout(&clock, SEND_TIMEOUT, self.socket.send(frame)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Disconnection::Lost),
            Err(_) => Err(Disconnection::ByServer(CloseReason::SlowClient)),
        }
    }
}

/// Returns why the connection ends if the store does not respond.
fn store_unavailable(reason: &str, channel: &impl fmt::Display) -> Disconnection {
    tracing::warn!(reason, %channel, "no snapshot: the store does not respond");
    Disconnection::ByServer(CloseReason::StoreUnavailable)
}

impl<B: Backend> Drop for StreamConnection<B> {
    /// Unsubscribes from every channel, however the connection ends.
    fn drop(&mut self) {
        for name in self.subscriptions.keys() {
            self.state.hub.unsubscribe(name, &self.changed_channels);
        }
    }
}
