//! Clients of the live stream that follow the rules of `docs/stream.md` and move between pods.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use client::{
    RestClient, StreamClientState, StreamEncoding, StreamProtocolError, StreamSocket,
    all_bars_first_page_path,
};
use clock::{Clock, SystemClock};
use schemas::api::{BarJson, StreamMessage};

use crate::journal::{Journal, lock};
use crate::random::Random;
use crate::rest::send_blocking_request;

/// Longer than the server is ever silent: it pings after 20 s.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(30);
/// How often the client looks for history that it still has to read.
const HISTORY_INTERVAL: Duration = Duration::from_millis(500);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a stalled client looks whether it may go on.
const STALLED_INTERVAL: Duration = Duration::from_millis(100);
const RECONNECT_DELAY: Duration = Duration::from_millis(200);

/// A client of some channels that connects to the pods in turn.
pub(crate) struct RoamingClient {
    pub(crate) name: String,
    pods: Vec<RestClient>,
    encoding: StreamEncoding,
    journal: Arc<Journal>,
    stream: Mutex<StreamClientState>,
    /// The messages of the server that break the rules of the stream.
    violations: Mutex<Vec<String>>,
    stays_at_pod: AtomicBool,
    is_stalled: AtomicBool,
    pub(crate) counts: StreamCounts,
}

/// The numbers of messages and connections of a client.
#[derive(Debug, Default)]
pub(crate) struct StreamCounts {
    pub(crate) messages: AtomicU64,
    pub(crate) connections: AtomicU64,
    pub(crate) recovered: AtomicU64,
    pub(crate) not_recovered: AtomicU64,
}

impl RoamingClient {
    /// Returns a client of channels such as `bars:binance:BTCUSDT:1m`.
    pub(crate) fn new(
        number: usize,
        pods: Vec<RestClient>,
        journal: Arc<Journal>,
        channels: impl Iterator<Item = String>,
    ) -> Arc<Self> {
        Arc::new(Self {
            name: format!("client-{number}"),
            pods,
            encoding: match number.is_multiple_of(2) {
                true => StreamEncoding::MessagePack,
                false => StreamEncoding::Json,
            },
            journal,
            stream: Mutex::new(StreamClientState::new(channels)),
            violations: Mutex::default(),
            stays_at_pod: AtomicBool::new(false),
            is_stalled: AtomicBool::new(false),
            counts: StreamCounts::default(),
        })
    }

    /// Follows the stream without end, for some seconds at each pod.
    pub(crate) async fn run(self: Arc<Self>, mut random: Random) {
        let mut last_failure = String::new();
        loop {
            let pod = random.choose(&self.pods).clone();
            let stay = Duration::from_millis(random.between(2_000, 12_000));
            let left = async {
                SystemClock.sleep(stay).await;
                while self.stays_at_pod.load(Ordering::Acquire) {
                    SystemClock.sleep(SILENCE_TIMEOUT).await;
                }
            };
            let ended = tokio::select! {
                () = left => Ok(()),
                ended = self.run_session(&pod) => ended,
            };
            let failure = ended.map_or_else(|error| format!("{error:#}"), |()| String::new());
            // While a pod is away, the same failure repeats.
            if !failure.is_empty() && failure != last_failure {
                let pod = pod.base_url();
                self.journal
                    .write_event(&format!("{} at {pod}: {failure}", self.name));
            }
            last_failure = failure;
            SystemClock.sleep(RECONNECT_DELAY).await;
        }
    }

    /// Makes the client stay at its pod until the connection fails.
    pub(crate) fn stay_at_pod(&self) {
        self.stays_at_pod.store(true, Ordering::Release);
    }

    /// Makes the client stop reading its connection, or go on.
    pub(crate) fn set_stalled(&self, is_stalled: bool) {
        self.is_stalled.store(is_stalled, Ordering::Release);
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        lock(&self.violations).clone()
    }

    pub(crate) fn channel_names(&self) -> Vec<String> {
        let stream = lock(&self.stream);
        stream.channels().map(|(name, _)| name.to_owned()).collect()
    }

    /// Returns the bars that the client shows of a channel.
    pub(crate) fn shown_bars(&self, channel: &str) -> Vec<BarJson> {
        lock(&self.stream).shown_bars(channel).cloned().collect()
    }

    /// Follows the stream at one pod until the connection ends.
    async fn run_session(&self, pod: &RestClient) -> anyhow::Result<()> {
        let connecting = StreamSocket::connect(pod.base_url(), self.encoding);
        let mut socket = clock::timeout(&SystemClock, CONNECT_TIMEOUT, connecting).await??;
        self.counts.connections.fetch_add(1, Ordering::Relaxed);
        let subscribe = lock(&self.stream).subscribe_request();
        socket.send_request(&subscribe).await?;
        let mut last_frame_ns = SystemClock.monotonic_ns();
        loop {
            while self.is_stalled.load(Ordering::Acquire) {
                SystemClock.sleep(STALLED_INTERVAL).await;
            }
            tokio::select! {
                message = socket.next_message_unless_ping_or_pong() => {
                    last_frame_ns = SystemClock.monotonic_ns();
                    if let Some(message) = message? {
                        self.apply_message(message)?;
                    }
                }
                () = SystemClock.sleep(HISTORY_INTERVAL) => {}
            }
            self.read_history(pod).await;
            let silent_ns = SystemClock.monotonic_ns() - last_frame_ns;
            if u128::from(silent_ns) > SILENCE_TIMEOUT.as_nanos() {
                bail!("no frame within {SILENCE_TIMEOUT:?}");
            }
        }
    }

    fn apply_message(&self, message: StreamMessage) -> anyhow::Result<()> {
        self.counts.messages.fetch_add(1, Ordering::Relaxed);
        let received = message.clone();
        match lock(&self.stream).apply_message(message) {
            Ok((_, applied)) => {
                let counter = match applied.recovered {
                    Some(true) => &self.counts.recovered,
                    Some(false) => &self.counts.not_recovered,
                    None => return Ok(()),
                };
                counter.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            Err(
                error @ (StreamProtocolError::Refused { .. }
                | StreamProtocolError::UnknownChannel(_)),
            ) => Err(error.into()),
            Err(violation) => {
                let text = format!("{}: {violation}: {received:?}", self.name);
                self.journal.write_event(&text);
                lock(&self.violations).push(text);
                Err(violation.into())
            }
        }
    }

    /// Reads the history of the channels that need it. After a failure the next call tries again.
    async fn read_history(&self, pod: &RestClient) {
        loop {
            let Some((name, request)) = lock(&self.stream).history_request() else {
                return;
            };
            let Ok(bars) = read_bars(pod, &name, request.generation).await else {
                return;
            };
            lock(&self.stream).apply_history(&name, request, bars);
        }
    }
}

/// Reads every bar of a channel, whose venue has this generation, over REST of a pod.
///
/// # Errors
/// If a page is not served.
pub(crate) async fn read_bars(
    pod: &RestClient,
    channel: &str,
    generation: u16,
) -> anyhow::Result<Vec<BarJson>> {
    let path = all_bars_first_page_path(channel, generation).context("the channel has no bars")?;
    send_blocking_request(pod, move |rest| rest.get_all_pages(&path)).await
}
