//! Sends trades to the API pods and, as a program of others would, to Kafka; each until it is
//! acknowledged.

mod amend;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use client::{Method, RestClient};
use clock::{Clock, SystemClock};
use futures_util::future::join_all;
use schemas::TradesRecord;
use serde_json::Value;
use tokio::sync::{OwnedRwLockWriteGuard, RwLock, Semaphore};

use crate::exchange::{Deal, Exchange, MARKETS};
use crate::journal::{Journal, lock};
use crate::kafka::Kafka;
use crate::ledger::{Entry, Ledger, Values, name_of};
use crate::random::Random;
use crate::rest::request;

/// Requests under way at once.
const REQUESTS: usize = 24;
/// Trades in a request at most.
const LARGEST: u64 = 40;
/// How many acknowledged trades are remembered, to be sent again or amended.
const REMEMBERED: usize = 4_000;
const RETRY_AFTER: Duration = Duration::from_millis(250);
const TURN: Duration = Duration::from_millis(50);

/// Sends trades.
pub(crate) struct Feed {
    pods: Vec<RestClient>,
    kafka: Kafka,
    pub(crate) ledger: Arc<Ledger>,
    journal: Arc<Journal>,
    /// Held to read while something is sent; to write while nothing may be.
    gate: Arc<RwLock<()>>,
    permits: Arc<Semaphore>,
    pending: AtomicU64,
    turns: AtomicU64,
    stops: AtomicBool,
    recent: Mutex<VecDeque<Deal>>,
}

impl Feed {
    pub(crate) fn new(
        pods: Vec<RestClient>,
        kafka: Kafka,
        ledger: Arc<Ledger>,
        journal: Arc<Journal>,
    ) -> Arc<Self> {
        Arc::new(Self {
            pods,
            kafka,
            ledger,
            journal,
            gate: Arc::default(),
            permits: Arc::new(Semaphore::new(REQUESTS)),
            pending: AtomicU64::new(0),
            turns: AtomicU64::new(0),
            stops: AtomicBool::new(false),
            recent: Mutex::default(),
        })
    }

    /// Declares every venue.
    pub(crate) async fn declare(&self) {
        for market in MARKETS {
            loop {
                let path = format!("/api/v1/venues/{}/settings", market.venue);
                let settings = market.settings().to_string();
                let response =
                    request(self.pod(), move |rest| rest.put_json(&path, &settings)).await;
                match response {
                    Ok(response) if response.status == 200 => break,
                    Ok(response) => self
                        .journal
                        .note(&format!("declaring: {}", response.text())),
                    Err(error) => self.journal.note(&format!("declaring: {error:#}")),
                }
                SystemClock.sleep(RETRY_AFTER).await;
            }
        }
    }

    /// Sends so many trades a second until [`Feed::stop`].
    pub(crate) async fn run(
        self: Arc<Self>,
        mut exchange: Exchange,
        mut random: Random,
        rate: u64,
    ) {
        let begin_ms = self.journal.elapsed_ms();
        let mut sent = 0;
        while !self.stops.load(Ordering::Acquire) {
            let due = (self.journal.elapsed_ms() - begin_ms) * rate / 1_000;
            // After an outage it goes on at its pace, and does not make up for all of it.
            sent = sent.max(due.saturating_sub(rate));
            while sent < due {
                let size = random.between(1, LARGEST).min(due - sent);
                sent += size;
                let mut deals: Vec<_> = (0..size).map(|_| exchange.deal()).collect();
                self.write_down(&deals);
                self.add_repeats(&mut deals, &mut random);
                self.launch(deals, random.fork()).await;
            }
            SystemClock.sleep(TURN).await;
        }
    }

    /// Begins nothing more.
    pub(crate) fn stop(&self) {
        self.stops.store(true, Ordering::Release);
    }

    /// How much was begun and is not acknowledged.
    pub(crate) fn pending(&self) -> u64 {
        self.pending.load(Ordering::Acquire)
    }

    /// Waits until nothing is being sent; nothing is while the guard is held.
    pub(crate) async fn pause(&self) -> OwnedRwLockWriteGuard<()> {
        Arc::clone(&self.gate).write_owned().await
    }

    /// Sends trades as a program of others would, though the feed is paused.
    pub(crate) async fn send_foreign(&self, deals: &[Deal]) {
        self.write_down(deals);
        self.to_kafka(deals).await;
        self.acknowledge(deals);
    }

    fn write_down(&self, deals: &[Deal]) {
        let sent_ms = self.journal.elapsed_ms();
        let mut book = self.ledger.open();
        for deal in deals {
            book.totals.late += u64::from(deal.is_late);
            let entry = Entry {
                values: Values::of(&deal.trade),
                sent_ms,
                acked_ms: None,
                is_cancelled: false,
                is_amending: false,
            };
            book.entries
                .insert(name_of(&deal.instrument(), &deal.trade), entry);
        }
    }

    /// Some trades are sent once more, exactly as before.
    fn add_repeats(&self, deals: &mut Vec<Deal>, random: &mut Random) {
        let recent = lock(&self.recent);
        if recent.is_empty() {
            return;
        }
        for _ in 0..deals.len() {
            let deal = &recent[random.place(recent.len())];
            if random.one_in(25) && deal.trade.id.is_some() {
                deals.push(deal.clone());
                self.ledger.open().totals.repeats += 1;
            }
        }
    }

    async fn launch(self: &Arc<Self>, deals: Vec<Deal>, mut random: Random) {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        self.pending.fetch_add(1, Ordering::AcqRel);
        let feed = Arc::clone(self);
        tokio::spawn(async move {
            let _permit = permit;
            feed.deliver(&deals, &mut random).await;
            feed.pending.fetch_sub(1, Ordering::AcqRel);
        });
    }

    async fn deliver(&self, deals: &[Deal], random: &mut Random) {
        for deal in deals {
            if random.one_in(300) {
                self.amend_ahead(deal, random).await;
            }
        }
        {
            let _open = self.gate.read().await;
            // A trade without an id is known by its request, which Kafka does not know.
            let is_named = deals.iter().all(|deal| deal.trade.id.is_some());
            if is_named && random.one_in(4) {
                self.ledger.open().totals.foreign += deals.len() as u64;
                self.to_kafka(deals).await;
            } else {
                let key = format!("torture-{:016x}", random.next());
                self.to_pods(deals, &key).await;
                if random.one_in(30) {
                    // The whole request comes twice.
                    self.to_pods(deals, &key).await;
                    self.ledger.open().totals.repeats += deals.len() as u64;
                }
            }
        }
        self.acknowledge(deals);
        for deal in deals {
            if random.one_in(40) {
                self.amend(deal, random).await;
            }
        }
    }

    fn acknowledge(&self, deals: &[Deal]) {
        let acked_ms = self.journal.elapsed_ms();
        let mut book = self.ledger.open();
        for deal in deals {
            let name = name_of(&deal.instrument(), &deal.trade);
            if let Some(entry) = book.entries.get_mut(&name) {
                entry.acked_ms.get_or_insert(acked_ms);
            }
        }
        drop(book);
        let mut recent = lock(&self.recent);
        recent.extend(deals.iter().cloned());
        let beyond = recent.len().saturating_sub(REMEMBERED);
        recent.drain(..beyond);
    }

    async fn to_kafka(&self, deals: &[Deal]) {
        let sends = deals.iter().map(|deal| async {
            let mut value = Vec::new();
            TradesRecord::encode_trade(&deal.trade, &mut value);
            let key = deal.instrument();
            self.kafka
                .send(schemas::TRADES, None, key.as_bytes(), &value)
                .await
        });
        join_all(sends).await;
    }

    fn pod(&self) -> &RestClient {
        let turn = self.turns.fetch_add(1, Ordering::Relaxed);
        let pods = self.pods.len() as u64;
        &self.pods[usize::try_from(turn % pods).unwrap_or_default()]
    }

    /// Posts the same request, to one pod after the other, until one has acknowledged it.
    async fn to_pods(&self, deals: &[Deal], key: &str) {
        let body = Value::Array(deals.iter().map(Deal::json).collect()).to_string();
        self.ledger.open().totals.requests += 1;
        loop {
            let (key, body) = (key.to_owned(), body.clone());
            let response = request(self.pod(), move |rest| {
                let headers = [
                    ("content-type", "application/json"),
                    ("idempotency-key", &key),
                ];
                let path = "/api/v1/trades";
                rest.send(&Method::POST, path, &headers, Some(body.as_bytes()))
            });
            if let Ok(response) = response.await {
                if response.status == 200 {
                    self.check_accepted(&response.text(), deals.len());
                    return;
                }
                if matches!(response.status, 400 | 413 | 415 | 422) {
                    self.journal.note(&format!("refused: {}", response.text()));
                    self.ledger.open().totals.refused += deals.len() as u64;
                    return;
                }
            }
            self.ledger.open().totals.retries += 1;
            SystemClock.sleep(RETRY_AFTER).await;
        }
    }

    fn check_accepted(&self, text: &str, sent: usize) {
        let answer: Value = serde_json::from_str(text).unwrap_or_default();
        let accepted = answer["accepted"].as_u64().unwrap_or(0);
        let refused = (sent as u64).saturating_sub(accepted);
        if refused > 0 {
            self.journal.note(&format!("refused in part: {text}"));
            self.ledger.open().totals.refused += refused;
        }
    }
}
