//! One client: what it asks for, and what it is told.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message as Frame, WebSocket, close_code};
use bytes::Bytes;
use clock::Clock;
use eventlog::Log;
use hashbrown::HashMap;
use schemas::api::{ChannelRequestJson, StreamMessage, StreamRequest};
use store::{BarQuery, BarReader, TickStore};

use super::request::read_request;
use crate::ApiState;
use crate::hub::{ChannelName, Encoding, Mailbox, Message, Subscription};

/// How many channels a connection may have.
const CHANNEL_LIMIT: usize = 1_000;
/// How many bars a snapshot takes from the store.
const SNAPSHOT_BARS: u32 = 2;
/// How long a client may take to read a message.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a client that is told nothing is pinged.
const PING_EVERY: Duration = Duration::from_secs(20);
/// How long the store may take for a snapshot.
const STORE_TIMEOUT: Duration = Duration::from_secs(5);

/// The client is gone, or too slow.
struct Gone;

pub(super) struct Connection<L, B, T, C> {
    state: ApiState<L, B, T, C>,
    socket: WebSocket,
    encoding: Encoding,
    mailbox: Arc<Mailbox>,
    subscriptions: HashMap<ChannelName, Subscription>,
}

impl<L, B, T, C> Connection<L, B, T, C>
where
    L: Log,
    B: BarReader + Clone + 'static,
    T: TickStore,
    C: Clock,
{
    pub(super) fn new(state: ApiState<L, B, T, C>, socket: WebSocket, encoding: Encoding) -> Self {
        Self {
            state,
            socket,
            encoding,
            mailbox: Arc::default(),
            subscriptions: HashMap::new(),
        }
    }

    pub(super) async fn run(mut self) {
        let clock = self.state.clock.clone();
        let mailbox = Arc::clone(&self.mailbox);
        let draining = self.state.stop.clone();
        loop {
            let done = tokio::select! {
                biased;
                () = draining.cancelled() => {
                    self.close(close_code::AWAY, "this pod is stopping; connect again").await;
                    break;
                }
                frame = self.socket.recv() => match frame {
                    Some(Ok(frame)) => self.read(frame).await,
                    Some(Err(_)) | None => break,
                },
                () = mailbox.arrived() => self.tell().await,
                () = clock.sleep(PING_EVERY) => self.send(Frame::Ping(Bytes::new())).await,
            };
            if done.is_err() {
                break;
            }
        }
        for name in self.subscriptions.keys() {
            self.state.hub.unsubscribe(name, &self.mailbox);
        }
    }

    async fn read(&mut self, frame: Frame) -> Result<(), Gone> {
        let request = match &frame {
            Frame::Text(text) => read_request(text.as_bytes(), Encoding::Json),
            Frame::Binary(bytes) => read_request(bytes, self.encoding),
            Frame::Close(_) => return Err(Gone),
            Frame::Ping(_) | Frame::Pong(_) => return Ok(()),
        };
        match request {
            Ok(StreamRequest::Subscribe { channels }) => {
                for wanted in channels {
                    self.subscribe(wanted).await?;
                }
                Ok(())
            }
            Ok(StreamRequest::Unsubscribe { channels }) => {
                for channel in channels {
                    self.unsubscribe(&channel).await?;
                }
                Ok(())
            }
            Err(detail) => {
                let detail = format!(
                    "{detail}; {{\"op\":\"subscribe\",\"channels\":[{{\"channel\":\"bars:venue:symbol:1m\"}}]}} is expected"
                );
                self.complain("malformed_request", detail, None).await
            }
        }
    }

    async fn subscribe(&mut self, wanted: ChannelRequestJson) -> Result<(), Gone> {
        let name: ChannelName = match wanted.channel.parse() {
            Ok(name) => name,
            Err(error) => {
                let detail = format!("{error}");
                return self
                    .complain("unknown_channel", detail, Some(&wanted.channel))
                    .await;
            }
        };
        let new = !self.subscriptions.contains_key(&name);
        if new && self.subscriptions.len() >= CHANNEL_LIMIT {
            let detail = format!("a connection may have {CHANNEL_LIMIT} channels");
            return self
                .complain("too_many_channels", detail, Some(&wanted.channel))
                .await;
        }
        let partition = self.state.partition_of(&name.instrument);
        self.state.hub.subscribe(&name, partition, &self.mailbox);
        let mut subscription = Subscription::new(name.clone(), partition);
        let message = match (wanted.epoch, wanted.seq) {
            (Some(epoch), Some(seq)) => {
                let hub = &self.state.hub;
                match hub.resume(&mut subscription, epoch, seq, self.encoding) {
                    Some(message) => message,
                    None => self.snapshot(&mut subscription, Some(false)).await?,
                }
            }
            _ => self.snapshot(&mut subscription, None).await?,
        };
        self.subscriptions.insert(name, subscription);
        self.send_message(message).await
    }

    async fn unsubscribe(&mut self, channel: &str) -> Result<(), Gone> {
        let name = channel.parse::<ChannelName>().ok();
        match name.filter(|name| self.subscriptions.remove(name).is_some()) {
            Some(name) => {
                self.state.hub.unsubscribe(&name, &self.mailbox);
                Ok(())
            }
            None => {
                let detail = "the connection has no such channel".to_owned();
                self.complain("not_subscribed", detail, Some(channel)).await
            }
        }
    }

    /// The hub first, then the store, then the hub again: a bar that leaves the hub in between
    /// is in what was read. Where the store does not answer the client is sent away.
    async fn snapshot(
        &mut self,
        subscription: &mut Subscription,
        recovered: Option<bool>,
    ) -> Result<Message, Gone> {
        let name = subscription.name().clone();
        let mut rows = self.state.hub.rows(&name.instrument, name.interval);
        let query = BarQuery {
            instrument: name.instrument.clone(),
            interval: name.interval,
            start_ns: 0,
            end_ns: i64::MAX,
            limit: SNAPSHOT_BARS,
            newest: true,
        };
        let read = self.state.bars.bar_range(&query);
        let reason = match clock::timeout(&self.state.clock, STORE_TIMEOUT, read).await {
            Ok(Ok(stored)) => {
                rows.extend(stored);
                let hub = &self.state.hub;
                return Ok(hub.snapshot(subscription, rows, recovered, self.encoding));
            }
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        tracing::warn!(reason, channel = %name, "no snapshot: the store does not answer");
        self.close(
            close_code::AGAIN,
            "the store does not answer; connect again later",
        )
        .await;
        Err(Gone)
    }

    /// Tells the client what is new in the channels that have news.
    async fn tell(&mut self) -> Result<(), Gone> {
        for name in self.mailbox.take() {
            let Some(subscription) = self.subscriptions.get_mut(&name) else {
                continue;
            };
            let message = match self.state.hub.news(subscription, self.encoding) {
                Ok(message) => message,
                Err(_) => {
                    let mut subscription = subscription.clone();
                    let message = self.snapshot(&mut subscription, Some(false)).await?;
                    self.subscriptions.insert(name, subscription);
                    Some(message)
                }
            };
            if let Some(message) = message {
                self.send_message(message).await?;
            }
        }
        Ok(())
    }

    async fn complain(
        &mut self,
        code: &str,
        detail: String,
        channel: Option<&str>,
    ) -> Result<(), Gone> {
        let error: StreamMessage<()> = StreamMessage::Error {
            code: code.to_owned(),
            detail,
            channel: channel.map(ToOwned::to_owned),
        };
        let bytes = self.encoding.write(&error);
        self.send_bytes(bytes).await
    }

    async fn send_message(&mut self, message: Message) -> Result<(), Gone> {
        self.send_bytes(message.bytes).await
    }

    async fn send_bytes(&mut self, bytes: Bytes) -> Result<(), Gone> {
        let frame = match self.encoding {
            Encoding::MessagePack => Frame::Binary(bytes),
            Encoding::Json => Frame::Text(bytes.try_into().expect("JSON is UTF-8")),
        };
        self.send(frame).await
    }

    async fn send(&mut self, frame: Frame) -> Result<(), Gone> {
        let clock = self.state.clock.clone();
        match clock::timeout(&clock, SEND_TIMEOUT, self.socket.send(frame)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Gone),
        }
    }

    async fn close(&mut self, code: u16, reason: &'static str) {
        let frame = CloseFrame {
            code,
            reason: reason.into(),
        };
        let _ = self.send(Frame::Close(Some(frame))).await;
    }
}
