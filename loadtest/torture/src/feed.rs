//! Sends trades to the API pods and, like a foreign producer, directly to Kafka, each until it is
//! acknowledged.

mod amend;
mod repeats;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use client::{Method, RestClient};
use clock::{Clock, SystemClock};
use futures_util::future::join_all;
use schemas::TradesTopicRecord;
use serde_json::Value;
use tokio::sync::{OwnedRwLockWriteGuard, RwLock, Semaphore};

use crate::journal::{Journal, lock};
use crate::kafka::TortureKafkaClient;
use crate::random::Random;
use crate::rest::send_blocking_request;
use crate::sent_trades::{SentTrade, SentTrades, TradeValues, trade_name};
use crate::trade_source::{TradeSource, VENUES, VenueTrade};

/// The number of concurrent requests.
const CONCURRENT_REQUESTS: usize = 24;
/// The greatest number of trades in a request.
const MAX_TRADES_PER_REQUEST: u64 = 40;
/// The number of acknowledged trades that are kept to be repeated.
const RECENT_TRADES: usize = 4_000;
const RETRY_DELAY: Duration = Duration::from_millis(250);
const TICK: Duration = Duration::from_millis(50);

/// Sends trades.
pub(crate) struct TradeFeed {
    pods: Vec<RestClient>,
    kafka: TortureKafkaClient,
    pub(crate) sent_trades: Arc<SentTrades>,
    journal: Arc<Journal>,
    /// Locked for reading while a request is sent, and for writing while none may be.
    gate: Arc<RwLock<()>>,
    permits: Arc<Semaphore>,
    pending: AtomicU64,
    next_pod_index: AtomicU64,
    is_stopping: AtomicBool,
    recent: Mutex<VecDeque<VenueTrade>>,
}

impl TradeFeed {
    pub(crate) fn new(
        pods: Vec<RestClient>,
        kafka: TortureKafkaClient,
        sent_trades: Arc<SentTrades>,
        journal: Arc<Journal>,
    ) -> Arc<Self> {
        Arc::new(Self {
            pods,
            kafka,
            sent_trades,
            journal,
            gate: Arc::default(),
            permits: Arc::new(Semaphore::new(CONCURRENT_REQUESTS)),
            pending: AtomicU64::new(0),
            next_pod_index: AtomicU64::new(0),
            is_stopping: AtomicBool::new(false),
            recent: Mutex::default(),
        })
    }

    /// Declares every venue.
    pub(crate) async fn declare_venues(&self) {
        for market in VENUES {
            loop {
                let path = format!("/api/v1/venues/{}/settings", market.venue);
                let settings = market.settings_json().to_string();
                let response = send_blocking_request(self.next_pod_client(), move |rest| {
                    rest.put_json(&path, &settings)
                })
                .await;
                match response {
                    Ok(response) if response.status == 200 => break,
                    Ok(response) => self
                        .journal
                        .write_event(&format!("declaring: {}", response.text())),
                    Err(error) => self.journal.write_event(&format!("declaring: {error:#}")),
                }
                SystemClock.sleep(RETRY_DELAY).await;
            }
        }
    }

    /// Sends `rate` trades a second until [`TradeFeed::stop`] is called.
    pub(crate) async fn run(
        self: Arc<Self>,
        mut trade_source: TradeSource,
        mut random: Random,
        rate: u64,
    ) {
        let begin_ms = self.journal.elapsed_ms();
        let mut sent = 0;
        while !self.is_stopping.load(Ordering::Acquire) {
            let due = (self.journal.elapsed_ms() - begin_ms) * rate / 1_000;
            // After an outage the feed catches up with at most one second.
            sent = sent.max(due.saturating_sub(rate));
            while sent < due {
                let size = random.between(1, MAX_TRADES_PER_REQUEST).min(due - sent);
                sent += size;
                let mut trades: Vec<_> = (0..size).map(|_| trade_source.next_trade()).collect();
                self.record_sent_trades(&trades);
                self.add_repeated_trades(&mut trades, &mut random);
                self.spawn_request(trades, random.fork()).await;
            }
            SystemClock.sleep(TICK).await;
        }
    }

    /// Starts no further request.
    pub(crate) fn stop(&self) {
        self.is_stopping.store(true, Ordering::Release);
    }

    /// Returns the number of requests that are not acknowledged.
    pub(crate) fn pending_requests(&self) -> u64 {
        self.pending.load(Ordering::Acquire)
    }

    /// Waits until no request is being sent. None is sent while the guard is held.
    pub(crate) async fn pause_sending(&self) -> OwnedRwLockWriteGuard<()> {
        Arc::clone(&self.gate).write_owned().await
    }

    /// Sends trades like a foreign producer, even while the feed is paused.
    pub(crate) async fn send_to_kafka_while_paused(&self, trades: &[VenueTrade]) {
        self.record_sent_trades(trades);
        self.send_to_kafka(trades).await;
        self.record_acknowledged_trades(trades);
    }

    fn record_sent_trades(&self, trades: &[VenueTrade]) {
        let sent_ms = self.journal.elapsed_ms();
        let mut state = self.sent_trades.lock();
        for venue_trade in trades {
            state.totals.late += u64::from(venue_trade.is_late);
            let entry = SentTrade {
                values: TradeValues::from_trade(&venue_trade.trade),
                sent_ms,
                acknowledged_ms: None,
                is_cancelled: false,
                is_amending: false,
            };
            state.trades.insert(
                trade_name(&venue_trade.instrument_key(), &venue_trade.trade),
                entry,
            );
        }
    }

    /// Adds some recent trades once more, unchanged.
    fn add_repeated_trades(&self, trades: &mut Vec<VenueTrade>, random: &mut Random) {
        let recent = lock(&self.recent);
        if recent.is_empty() {
            return;
        }
        for _ in 0..trades.len() {
            let venue_trade = &recent[random.index(recent.len())];
            if random.one_in(25) && venue_trade.trade.id.is_some() {
                trades.push(venue_trade.clone());
                self.sent_trades.lock().totals.repeats += 1;
            }
        }
    }

    async fn spawn_request(self: &Arc<Self>, trades: Vec<VenueTrade>, mut random: Random) {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        self.pending.fetch_add(1, Ordering::AcqRel);
        let feed = Arc::clone(self);
        tokio::spawn(async move {
            let _permit = permit;
            feed.send_trades_and_amendments(&trades, &mut random).await;
            feed.pending.fetch_sub(1, Ordering::AcqRel);
        });
    }

    async fn send_trades_and_amendments(&self, trades: &[VenueTrade], random: &mut Random) {
        for venue_trade in trades {
            if random.one_in(300) {
                self.send_amendment_before_trade(venue_trade, random).await;
            }
        }
        {
            let _open = self.gate.read().await;
            // A trade without an id is identified by its request, so it cannot go to Kafka
            // directly.
            let is_named = trades
                .iter()
                .all(|venue_trade| venue_trade.trade.id.is_some());
            if is_named && random.one_in(4) {
                self.sent_trades.lock().totals.foreign += trades.len() as u64;
                self.send_to_kafka(trades).await;
            } else {
                let key = format!("torture-{:016x}", random.next_u64());
                self.send_to_a_pod_with_retries(trades, &key).await;
                if random.one_in(30) {
                    // The whole request is sent twice.
                    self.send_to_a_pod_with_retries(trades, &key).await;
                    self.sent_trades.lock().totals.repeats += trades.len() as u64;
                }
            }
        }
        self.record_acknowledged_trades(trades);
        for venue_trade in trades {
            if random.one_in(40) {
                self.amend_acknowledged(venue_trade, random).await;
            }
        }
    }

    fn record_acknowledged_trades(&self, trades: &[VenueTrade]) {
        let acknowledged_ms = self.journal.elapsed_ms();
        let mut state = self.sent_trades.lock();
        for venue_trade in trades {
            let name = trade_name(&venue_trade.instrument_key(), &venue_trade.trade);
            if let Some(entry) = state.trades.get_mut(&name) {
                entry.acknowledged_ms.get_or_insert(acknowledged_ms);
            }
        }
        drop(state);
        let mut recent = lock(&self.recent);
        recent.extend(trades.iter().cloned());
        let beyond = recent.len().saturating_sub(RECENT_TRADES);
        recent.drain(..beyond);
    }

    async fn send_to_kafka(&self, trades: &[VenueTrade]) {
        let sends = trades.iter().map(|venue_trade| async {
            let mut value = Vec::new();
            TradesTopicRecord::encode_trade(&venue_trade.trade, &mut value);
            let key = venue_trade.instrument_key();
            self.kafka
                .send_until_acknowledged(schemas::TRADES, None, key.as_bytes(), &value)
                .await
        });
        join_all(sends).await;
    }

    fn next_pod_client(&self) -> &RestClient {
        let turn = self.next_pod_index.fetch_add(1, Ordering::Relaxed);
        let pods = self.pods.len() as u64;
        &self.pods[usize::try_from(turn % pods).unwrap_or_default()]
    }

    /// Posts the same request to each pod in turn, until one accepts it or rejects it permanently.
    async fn send_to_a_pod_with_retries(&self, trades: &[VenueTrade], key: &str) {
        let body = Value::Array(trades.iter().map(VenueTrade::to_json).collect()).to_string();
        self.sent_trades.lock().totals.requests += 1;
        loop {
            let (key, body) = (key.to_owned(), body.clone());
            let response = send_blocking_request(self.next_pod_client(), move |rest| {
                let headers = [
                    ("content-type", "application/json"),
                    ("idempotency-key", &key),
                ];
                let path = "/api/v1/trades";
                rest.send(&Method::POST, path, &headers, Some(body.as_bytes()))
            });
            if let Ok(response) = response.await {
                if response.status == 200 {
                    self.count_refused_trades(&response.text(), trades.len());
                    return;
                }
                if matches!(response.status, 400 | 413 | 415 | 422) {
                    self.journal
                        .write_event(&format!("refused: {}", response.text()));
                    self.sent_trades.lock().totals.refused += trades.len() as u64;
                    return;
                }
            }
            self.sent_trades.lock().totals.retries += 1;
            SystemClock.sleep(RETRY_DELAY).await;
        }
    }

    fn count_refused_trades(&self, response: &str, sent: usize) {
        let answer: Value = serde_json::from_str(response).unwrap_or_default();
        let accepted = answer["accepted"].as_u64().unwrap_or(0);
        let refused = (sent as u64).saturating_sub(accepted);
        if refused > 0 {
            self.journal
                .write_event(&format!("refused in part: {response}"));
            self.sent_trades.lock().totals.refused += refused;
        }
    }
}
