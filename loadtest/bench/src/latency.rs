//! The latency from posting a trade until a client has read a bar that contains it.

mod pending_trades;
mod plan;
mod sender;

use std::path::Path;
use std::time::Duration;

use client::{RestClient, StreamClientState, StreamEncoding, StreamSocket};
use clock::{Clock, SystemClock};
use schemas::api::StreamMessage;
use serde_json::json;

use super::processes::StandaloneProcess;
use super::table::{FigureTable, format_as_milliseconds, quantile};
use pending_trades::PendingTrades;
use plan::{BATCHES_PER_SECOND, SECONDS, SYMBOLS};
use sender::TradeSender;

/// Latencies of this first part do not count.
const WARM_UP_NS: u64 = 3_000_000_000;

/// The result of a measurement.
pub(super) struct LatencyResult {
    /// The median, in microseconds.
    pub(super) p50_us: u64,
    /// The 99th percentile, in microseconds.
    pub(super) p99_us: u64,
    /// The number of trades that were measured.
    pub(super) trades: usize,
    /// How many thousand trades were posted per second.
    pub(super) thousands_per_second: f64,
}

/// Measures a `standalone`, and compares it with the budgets.
pub(super) fn measure_standalone_latency(
    folder: &Path,
    rate: u64,
    table: &mut FigureTable,
) -> anyhow::Result<()> {
    let standalone = StandaloneProcess::start(&folder.join("latency"))?;
    let latency = measure_latency(&standalone.url, "bench", rate, 1)?;
    let rate = latency.thousands_per_second;
    table.add_and_print_budgeted_figure(
        &format!("trade to delta at a client, {rate:.0} k trades/s, 100 symbols, p50"),
        &format_as_milliseconds(latency.p50_us),
        "<= 10 ms",
        latency.p50_us <= 10_000,
    );
    table.add_and_print_budgeted_figure(
        "  the same, p99",
        &format_as_milliseconds(latency.p99_us),
        "<= 50 ms",
        latency.p99_us <= 50_000,
    );
    table.add_and_print_figure("  trades measured", &latency.trades.to_string());
    Ok(())
}

/// Posts trades of a venue to the API at `url` over `senders` connections, and reads their bars
/// from its stream.
///
/// If a POST takes longer than the time between two batches, one connection cannot keep the pace.
pub(super) fn measure_latency(
    url: &str,
    venue: &str,
    rate: u64,
    senders: usize,
) -> anyhow::Result<LatencyResult> {
    let rest = RestClient::new(url).map_err(anyhow::Error::msg)?;
    declare_venue(&rest, venue)?;
    let pending = PendingTrades::new();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let start_ns = SystemClock.monotonic_ns();
    let start_sender = |number| {
        let sender = TradeSender {
            number,
            senders,
            rest: rest.clone(),
            venue: venue.to_owned(),
            trades_per_batch: rate / BATCHES_PER_SECOND,
            pending: pending.clone(),
        };
        std::thread::spawn(move || sender.send_batches_on_schedule(start_ns))
    };
    let senders: Vec<_> = (0..senders).map(start_sender).collect();
    let collected = runtime.block_on(collect_latencies_us(url, venue, &pending, start_ns));
    let mut trades_sent = 0;
    for sender in senders {
        let sent = sender.join();
        trades_sent += sent.map_err(|_| anyhow::anyhow!("a sender panicked"))??;
    }
    let mut micros = collected?;
    anyhow::ensure!(!micros.is_empty(), "no bar contained a posted trade");
    micros.sort_unstable();
    Ok(LatencyResult {
        p50_us: quantile(&micros, 500),
        p99_us: quantile(&micros, 990),
        trades: micros.len(),
        thousands_per_second: trades_sent as f64 / SECONDS as f64 / 1e3,
    })
}

fn declare_venue(rest: &RestClient, venue: &str) -> anyhow::Result<()> {
    let settings = json!({"id_scheme": "contiguous", "id_scope": "symbol", "lateness_ms": 2000,
        "idle_ms": 5000, "nonpositive_prices": false});
    let path = format!("/api/v1/venues/{venue}/settings");
    let response = rest.put_json(&path, &settings.to_string())?;
    anyhow::ensure!(response.status < 300, response.to_error());
    Ok(())
}

/// Follows every symbol; returns the latency of each trade, in microseconds.
///
/// It takes the time of each message and keeps no bars: the work of a client that keeps them is
/// not part of the latency.
async fn collect_latencies_us(
    url: &str,
    venue: &str,
    pending: &PendingTrades,
    start_ns: u64,
) -> anyhow::Result<Vec<u64>> {
    let mut socket = StreamSocket::connect(url, StreamEncoding::Json).await?;
    let channels = (0..SYMBOLS).map(|symbol| format!("bars:{venue}:S{symbol}:1m"));
    let subscribe = StreamClientState::new(channels).subscribe_request();
    socket.send_request(&subscribe).await?;
    let mut micros = Vec::new();
    let end_ns = start_ns + (SECONDS - 1) * 1_000_000_000;
    loop {
        let left_ns = end_ns.saturating_sub(SystemClock.monotonic_ns());
        let next = socket.next_message_unless_ping_or_pong::<StreamMessage>();
        let next = clock::timeout(&SystemClock, Duration::from_nanos(left_ns), next);
        // If a sender has failed, no message comes any more, and the sender reports the error.
        let Some(message) = next.await.ok().filter(|_| left_ns > 0) else {
            return Ok(micros);
        };
        let now_ns = SystemClock.monotonic_ns();
        if let Some(message) = message? {
            let is_warm = now_ns > start_ns + WARM_UP_NS;
            let shown = take_shown_latencies_us(&message, now_ns, pending);
            micros.extend(shown.into_iter().flatten().filter(|_| is_warm));
        }
    }
}

/// Removes the trades that a message's bars contain from the pending ones; returns their latencies
/// in microseconds, or `None` if the message contains no trade.
fn take_shown_latencies_us(
    message: &StreamMessage,
    now_ns: u64,
    pending: &PendingTrades,
) -> Option<Vec<u64>> {
    let (channel, ids): (_, Vec<Option<&String>>) = match message {
        StreamMessage::Snapshot { channel, bars, .. } => {
            let ids = bars.iter().map(|bar| bar.last_trade_id.as_ref());
            (channel, ids.collect())
        }
        StreamMessage::Bars { channel, bars, .. } => {
            let ids = bars.iter().map(|bar| bar.last_trade_id.as_ref()?.as_ref());
            (channel, ids.collect())
        }
        StreamMessage::Error { .. } => return None,
    };
    let symbol: usize = channel.split(':').nth(2)?.get(1..)?.parse().ok()?;
    let ids = ids.into_iter().flatten();
    let last_id: u64 = ids.filter_map(|id| id.parse().ok()).max()?;
    let mut pending = pending.lock();
    let trades = pending.get_mut(symbol)?;
    let count = trades.iter().take_while(|trade| trade.id <= last_id);
    let count = count.count();
    let shown = trades.drain(..count);
    Some(
        shown
            .map(|trade| (now_ns - trade.posted_ns) / 1_000)
            .collect(),
    )
}
