//! From a trade that is posted to the delta that a client reads.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context;
use clock::{Clock, SystemClock};
use futures_util::{SinkExt, StreamExt};
use market::{Decimal, Symbol, Trade, TradeId};
use schemas::TradesBatch;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use super::child::Standalone;
use super::table::{Table, milliseconds, quantile};

const SYMBOLS: usize = 100;
const SECONDS: u64 = 15;
/// Batches a second.
const BATCHES: u64 = 100;
/// What is measured while everything is still warming up does not count.
const WARM_UP_NS: u64 = 3_000_000_000;

/// For each symbol, the trades that no delta has shown yet: (id, when it was posted).
type Posted = Arc<Mutex<Vec<VecDeque<(u64, u64)>>>>;

/// What was measured.
pub(super) struct Latency {
    /// Half of the trades took at most so long, in microseconds.
    pub(super) p50: u64,
    /// 99 of 100 took at most so long, in microseconds.
    pub(super) p99: u64,
    /// How many trades counted.
    pub(super) trades: usize,
    /// How many thousands were posted a second.
    pub(super) thousands: f64,
}

/// Measures a `standalone`, and compares it with the budgets.
pub(super) fn measure(folder: &Path, rate: u64, table: &mut Table) -> anyhow::Result<()> {
    let standalone = Standalone::start(&folder.join("latency"))?;
    let Latency {
        p50,
        p99,
        trades,
        thousands,
    } = measure_at(&standalone.url, "bench", rate, 1)?;
    table.budget(
        &format!("trade to delta at a client, {thousands:.0} k trades/s, 100 symbols, p50"),
        &milliseconds(p50),
        "<= 10 ms",
        p50 <= 10_000,
    );
    table.budget(
        "  the same, p99",
        &milliseconds(p99),
        "<= 50 ms",
        p99 <= 50_000,
    );
    table.figure("  trades measured", &trades.to_string());
    Ok(())
}

/// Posts trades of a venue of this name to an API over so many connections, and reads their
/// deltas from it. Where a POST takes longer than the time between two batches, one connection
/// cannot keep the pace.
pub(super) fn measure_at(
    url: &str,
    venue: &str,
    rate: u64,
    senders: usize,
) -> anyhow::Result<Latency> {
    let settings = json!({"id_scheme": "contiguous", "id_scope": "symbol", "lateness_ms": 2000,
        "idle_ms": 5000, "nonpositive_prices": false});
    ureq::put(format!("{url}/api/v1/venues/{venue}/settings"))
        .header("content-type", "application/json")
        .send(settings.to_string())?;
    let posted: Posted = Arc::new(Mutex::new(vec![VecDeque::new(); SYMBOLS]));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let start_ns = SystemClock.monotonic_ns();
    let start = |number| {
        let sender = Sender {
            number,
            senders,
            address: format!("{url}/api/v1/trades"),
            venue: venue.to_owned(),
            each: rate / BATCHES,
            posted: Arc::clone(&posted),
        };
        std::thread::spawn(move || sender.send(start_ns))
    };
    let senders: Vec<_> = (0..senders).map(start).collect();
    let listened = runtime.block_on(listen(url, venue, &posted, start_ns));
    let mut sent = 0;
    for sender in senders {
        let ended = sender.join();
        sent += ended.map_err(|_| anyhow::anyhow!("a sender panicked"))??;
    }
    let mut micros = listened?;
    anyhow::ensure!(!micros.is_empty(), "no delta has shown a trade");
    micros.sort_unstable();
    Ok(Latency {
        p50: quantile(&micros, 500),
        p99: quantile(&micros, 990),
        trades: micros.len(),
        thousands: sent as f64 / SECONDS as f64 / 1e3,
    })
}

/// One of several who post in turn, each the trades of symbols of its own.
struct Sender {
    number: usize,
    senders: usize,
    address: String,
    venue: String,
    /// Trades of a batch.
    each: u64,
    posted: Posted,
}

impl Sender {
    /// Posts its batches at an even pace, and answers how many trades; a batch that is late is
    /// posted at once, and those that are not posted by the end never are.
    fn send(self, start_ns: u64) -> anyhow::Result<u64> {
        let agent = ureq::agent();
        let mut ids = vec![0; SYMBOLS];
        let symbols = (0..SYMBOLS).map(|symbol| format!("S{symbol}").parse());
        let symbols: Vec<Symbol> = symbols.collect::<Result<_, _>>()?;
        let mut form = TradesBatch::new(&self.venue.parse()?, &symbols);
        let mut sent = 0;
        for number in (self.number as u64..SECONDS * BATCHES).step_by(self.senders) {
            let due_ns = start_ns + number * 1_000_000_000 / BATCHES;
            let wait_ns = due_ns.saturating_sub(SystemClock.monotonic_ns());
            std::thread::sleep(Duration::from_nanos(wait_ns));
            if SystemClock.monotonic_ns() - start_ns > SECONDS * 1_000_000_000 {
                break;
            }
            let body = self.batch(&mut ids, &mut form)?;
            agent
                .post(&self.address)
                .header("content-type", TradesBatch::CONTENT_TYPE)
                .send(&body[..])?;
            sent += self.each;
        }
        Ok(sent)
    }

    fn batch(&self, ids: &mut [u64], batch: &mut TradesBatch) -> anyhow::Result<Vec<u8>> {
        let (now_ns, time_ns) = (SystemClock.monotonic_ns(), SystemClock.now_ns());
        let mut posted = self.posted.lock().expect("nobody panics with it");
        let mine = (self.number..SYMBOLS).step_by(self.senders).cycle();
        for (number, place) in (0..self.each).zip(mine) {
            ids[place] += 1;
            let cents = i64::try_from(10_000 + (number * 7 + ids[place]) % 500)?;
            let trade = Trade {
                time_ns,
                price: Decimal::new(cents, 2)?,
                quantity: Some(Decimal::new(1, 0)?),
                side: None,
                id: Some(TradeId::Number(ids[place])),
                scope: None,
                sender: None,
            };
            posted[place].push_back((ids[place], now_ns));
            batch.push(u32::try_from(place)?, &trade);
        }
        Ok(batch.take_bytes())
    }
}

/// Follows every symbol, and notes for each trade when the first delta that holds it was read.
async fn listen(
    url: &str,
    venue: &str,
    posted: &Posted,
    start_ns: u64,
) -> anyhow::Result<Vec<u64>> {
    let address = format!("{}/api/v1/stream", url.replacen("http", "ws", 1));
    let mut request = address.into_client_request()?;
    let json = HeaderValue::from_static("candlewick.v1.json");
    request.headers_mut().insert("sec-websocket-protocol", json);
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await?;
    let channel = |symbol| json!({"channel": format!("bars:{venue}:S{symbol}:1m")});
    let channels: Vec<Value> = (0..SYMBOLS).map(channel).collect();
    let subscribe = json!({"op": "subscribe", "channels": channels}).to_string();
    socket.send(Message::text(subscribe)).await?;
    let mut micros = Vec::new();
    let end_ns = start_ns + (SECONDS - 1) * 1_000_000_000;
    loop {
        let left_ns = end_ns.saturating_sub(SystemClock.monotonic_ns());
        let next = clock::timeout(&SystemClock, Duration::from_nanos(left_ns), socket.next());
        // Nothing comes any more where the sender has failed, and he says why.
        let Some(message) = next.await.ok().filter(|_| left_ns > 0) else {
            return Ok(micros);
        };
        let message = message.context("the stream ended")??;
        let now_ns = SystemClock.monotonic_ns();
        if let Message::Text(text) = message {
            let value: Value = serde_json::from_str(&text)?;
            let warm = now_ns > start_ns + WARM_UP_NS;
            note(&value, now_ns, warm, posted, &mut micros);
        }
    }
}

fn note(value: &Value, now_ns: u64, warm: bool, posted: &Posted, micros: &mut Vec<u64>) {
    let symbol = || {
        value["channel"].as_str()?.split(':').nth(2)?[1..]
            .parse::<usize>()
            .ok()
    };
    let last = |bar: &Value| bar["last_trade_id"].as_str()?.parse::<u64>().ok();
    let last = value["bars"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(last)
        .max();
    let (Some(symbol), Some(last)) = (symbol(), last) else {
        return;
    };
    let mut posted = posted.lock().expect("nobody panics with it");
    while let Some((id, posted_ns)) = posted[symbol].front().copied() {
        if id > last {
            return;
        }
        posted[symbol].pop_front();
        if warm {
            micros.push((now_ns - posted_ns) / 1_000);
        }
    }
}
