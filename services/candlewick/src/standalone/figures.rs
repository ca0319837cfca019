//! What a person sees: where to look, and a line of live figures.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::time::Duration;

use clock::{Clock, SystemClock};
use eventlog::Log;
use host::{Stage, Supervisor};
use market::Interval;
use store::{BarReader, SymbolQuery};

use super::config::{Config, Feed};
use crate::Engine;

/// How many symbols the line shows.
const SHOWN: u32 = 5;

/// Says where to look.
pub(super) fn greet(config: &Config, address: SocketAddr) {
    let (venue, symbol) = match config.feed {
        Feed::Synthetic => (
            "synthetic",
            config
                .symbols
                .first()
                .map_or("EURUSD", |symbol| symbol.as_str()),
        ),
        Feed::None => ("{venue}", "{symbol}"),
    };
    let rows = [
        (
            "bars",
            format!("http://{address}/api/v1/bars/{venue}/{symbol}?interval=1m"),
        ),
        ("symbols", format!("http://{address}/api/v1/symbols")),
        (
            "live",
            format!(
                "ws://{address}/api/v1/stream  then {{\"op\":\"subscribe\",\"channels\":[{{\"channel\":\"bars:{venue}:{symbol}:1m\"}}]}}"
            ),
        ),
        ("health", format!("http://{address}/readyz")),
        ("metrics", format!("http://{address}/metrics")),
        ("data", config.data.display().to_string()),
    ];
    println!("candlewick {} is up", env!("CARGO_PKG_VERSION"));
    for (what, place) in rows {
        println!("  {what:<8} {place}");
    }
}

/// Shows a line of figures a second on a terminal, and one a minute otherwise.
pub(super) fn start(engine: &Engine, supervisor: &mut Supervisor<SystemClock>) {
    let terminal = std::io::stdout().is_terminal();
    let every = if terminal { 1 } else { 60 };
    let (trades, updates) = (engine.folder.trades.clone(), engine.updates.clone());
    let (bars, hub) = (engine.folder.bars.clone(), engine.hub.clone());
    supervisor.spawn(Stage::Observe, "figures", move |stop| async move {
        let mut records = end(&trades).await;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                () = SystemClock.sleep(Duration::from_secs(every)) => {}
            }
            let before = std::mem::replace(&mut records, end(&trades).await);
            let folded: u64 = match bars.progress().await {
                Ok(rows) => rows.iter().map(|row| row.next_offset).sum(),
                Err(_) => 0,
            };
            let mut line = format!(
                "records {records:>12}  +{:>8}/s  uncommitted {:>8}  updates {:>10}",
                records.saturating_sub(before) / every,
                records.saturating_sub(folded),
                end(&updates).await,
            );
            let query = SymbolQuery {
                venue: None,
                after: None,
                limit: SHOWN,
            };
            for row in bars.symbols(&query).await.unwrap_or_default() {
                let newest = hub.bars(&row.instrument, Interval::M1).pop();
                if let Some(bar) = newest {
                    let symbol = row.instrument.symbol();
                    line.push_str(&format!("  {symbol} {}", bar.bar.close.price));
                }
            }
            print(&line, terminal);
        }
    });
}

fn print(line: &str, terminal: bool) {
    let mut out = std::io::stdout();
    let written = if terminal {
        write!(out, "\r\x1b[2K{line}")
    } else {
        writeln!(out, "{line}")
    };
    // Nobody may be reading; that is no reason to stop.
    let _ = written.and_then(|()| out.flush());
}

/// How many records a topic has had.
async fn end<L: Log>(log: &L) -> u64 {
    let mut sum = 0;
    for partition in 0..log.partitions() {
        sum += log.bounds(partition).await.map_or(0, |bounds| bounds.end);
    }
    sum
}
