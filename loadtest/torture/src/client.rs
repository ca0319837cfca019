//! Clients of the live stream that follow the rules of `docs/stream.md`, and move between pods.

mod channel;
mod socket;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use clock::{Clock, SystemClock};
use serde_json::{Value, json};

use self::channel::Channel;
use self::socket::Socket;
use crate::journal::{Journal, lock};
use crate::random::Random;
use crate::rest::Rest;

/// Longer than the server is ever silent: it pings after 20 s.
const SILENCE: Duration = Duration::from_secs(30);
/// How often history that is still wanted is asked for.
const ASK_EVERY: Duration = Duration::from_millis(500);
const CONNECTING: Duration = Duration::from_secs(5);
const RETRY_AFTER: Duration = Duration::from_millis(200);

/// A client of some channels.
pub(crate) struct Client {
    pub(crate) name: String,
    pods: Vec<String>,
    is_binary: bool,
    rest: Rest,
    journal: Arc<Journal>,
    channels: Mutex<BTreeMap<String, Channel>>,
    /// What the server did that its rules forbid.
    violations: Mutex<Vec<String>>,
    stays: AtomicBool,
    pub(crate) counts: Counts,
}

/// What a client was told.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) messages: AtomicU64,
    pub(crate) connections: AtomicU64,
    pub(crate) recovered: AtomicU64,
    pub(crate) not_recovered: AtomicU64,
}

impl Client {
    /// A client of channels such as `bars:binance:BTCUSDT:1m`.
    pub(crate) fn new(
        number: usize,
        pods: Vec<String>,
        journal: Arc<Journal>,
        channels: impl Iterator<Item = String>,
    ) -> Arc<Self> {
        Arc::new(Self {
            name: format!("client-{number}"),
            pods,
            is_binary: number.is_multiple_of(2),
            rest: Rest::new(),
            journal,
            channels: Mutex::new(channels.map(|name| (name, Channel::default())).collect()),
            violations: Mutex::default(),
            stays: AtomicBool::new(false),
            counts: Counts::default(),
        })
    }

    /// Follows for ever, a while at each pod.
    pub(crate) async fn follow(self: Arc<Self>, mut random: Random) {
        let mut last = String::new();
        loop {
            let pod = random.choose(&self.pods).clone();
            let stay = Duration::from_millis(random.between(2_000, 12_000));
            let left = async {
                SystemClock.sleep(stay).await;
                while self.stays.load(Ordering::Acquire) {
                    SystemClock.sleep(SILENCE).await;
                }
            };
            let ended = tokio::select! {
                () = left => Ok(()),
                ended = self.session(&pod) => ended,
            };
            let trouble = ended.map_or_else(|error| format!("{error:#}"), |()| String::new());
            // The same over and over again, while a pod is away, tells nothing.
            if !trouble.is_empty() && trouble != last {
                self.journal
                    .note(&format!("{} at {pod}: {trouble}", self.name));
            }
            last = trouble;
            SystemClock.sleep(RETRY_AFTER).await;
        }
    }

    /// From now on it stays where it is, as long as it can.
    pub(crate) fn stay(&self) {
        self.stays.store(true, Ordering::Release);
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        lock(&self.violations).clone()
    }

    /// The names of its channels.
    pub(crate) fn names(&self) -> Vec<String> {
        lock(&self.channels).keys().cloned().collect()
    }

    /// The bars that it shows of a channel, but those whose trades were all cancelled.
    pub(crate) fn shown(&self, name: &str) -> Vec<Value> {
        let channels = lock(&self.channels);
        let shown = channels.get(name).into_iter().flat_map(Channel::shown);
        let shown = shown.filter(|bar| bar["trades"] != 0);
        shown.map(|bar| Value::Object(bar.clone())).collect()
    }

    async fn session(&self, pod: &str) -> anyhow::Result<()> {
        let connecting = Socket::connect(pod, self.is_binary);
        let mut socket = clock::timeout(&SystemClock, CONNECTING, connecting).await??;
        self.counts.connections.fetch_add(1, Ordering::Relaxed);
        let wanted: Vec<_> = {
            let channels = lock(&self.channels);
            let wanted = channels.iter().map(|(name, channel)| match channel.held() {
                Some((epoch, seq)) => json!({"channel": name, "epoch": epoch, "seq": seq}),
                None => json!({"channel": name}),
            });
            wanted.collect()
        };
        socket
            .send(&json!({"op": "subscribe", "channels": wanted}))
            .await?;
        let mut silent_since_ns = SystemClock.monotonic_ns();
        loop {
            tokio::select! {
                message = socket.next() => {
                    silent_since_ns = SystemClock.monotonic_ns();
                    if let Some(message) = message? {
                        self.take(&message)?;
                    }
                }
                () = SystemClock.sleep(ASK_EVERY) => {}
            }
            self.read_history(pod).await;
            let silent_ns = SystemClock.monotonic_ns() - silent_since_ns;
            if u128::from(silent_ns) > SILENCE.as_nanos() {
                bail!("nothing was heard for {SILENCE:?}");
            }
        }
    }

    fn take(&self, message: &Value) -> anyhow::Result<()> {
        self.counts.messages.fetch_add(1, Ordering::Relaxed);
        if message["type"] == "error" {
            bail!("the server says {message}");
        }
        let name = message["channel"].as_str().context("no channel")?;
        match message["recovered"].as_bool() {
            Some(true) => _ = self.counts.recovered.fetch_add(1, Ordering::Relaxed),
            Some(false) => _ = self.counts.not_recovered.fetch_add(1, Ordering::Relaxed),
            None => {}
        }
        let mut channels = lock(&self.channels);
        let channel = channels.get_mut(name).context("an unknown channel")?;
        if let Err(violation) = channel.take(message) {
            let text = format!("{}: {name}: {violation}: {message}", self.name);
            self.journal.note(&text);
            lock(&self.violations).push(text);
            bail!("{violation}");
        }
        Ok(())
    }

    /// Reads the history of channels that want it; what does not answer is asked again later.
    async fn read_history(&self, pod: &str) {
        let wanting: Vec<_> = {
            let channels = lock(&self.channels);
            let wanting = channels.iter().filter(|(_, one)| one.wants_history);
            wanting.map(|(name, _)| name.clone()).collect()
        };
        for name in wanting {
            let Ok(bars) = history(&self.rest, pod, &name).await else {
                return;
            };
            if let Some(channel) = lock(&self.channels).get_mut(&name) {
                channel.read(bars);
            }
        }
    }
}

/// Every bar of a channel, as REST of a pod has them.
///
/// # Errors
/// Where it does not answer.
pub(crate) async fn history(rest: &Rest, pod: &str, name: &str) -> anyhow::Result<Vec<Value>> {
    let mut parts = name.split(':').skip(1);
    let [venue, symbol, interval] = std::array::from_fn(|_| parts.next().unwrap_or_default());
    let path =
        format!("{pod}/api/v1/bars/{venue}/{symbol}?interval={interval}&start=0&limit=10000");
    let mut bars = Vec::new();
    let mut cursor = String::new();
    loop {
        let answer = rest.get(format!("{path}{cursor}")).await?;
        if answer.status != 200 {
            bail!("{}: {}", answer.status, answer.text);
        }
        let mut page = answer.json()?;
        if let Value::Array(page) = page["data"].take() {
            bars.extend(page);
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(bars),
        }
    }
}
