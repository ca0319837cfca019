//! What a person sees: the addresses to open, and a line of live figures.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::time::Duration;

use api::Hub;
use clock::{Clock, SystemClock};
use eventlog::Log;
use host::{ShutdownStage, Supervisor};
use market::Interval;
use store::{BarReader, SqliteBarStore, SymbolQuery};

use super::config::{FeedKind, StandaloneConfig};
use crate::engine::EmbeddedRoles;
use crate::process::VERSION;

/// The number of symbols that the status line shows.
const SHOWN_SYMBOLS: u32 = 5;

/// Prints the addresses that the process serves.
pub(super) fn print_addresses(config: &StandaloneConfig, address: SocketAddr) {
    let (venue, symbol) = match config.feed {
        FeedKind::Synthetic => (
            "synthetic",
            config
                .symbols
                .first()
                .map_or("EURUSD", |symbol| symbol.as_str()),
        ),
        FeedKind::None => ("{venue}", "{symbol}"),
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
    println!("candlewick {VERSION} is up");
    for (label, value) in rows {
        println!("  {label:<8} {value}");
    }
}

/// Starts the task that prints a line of figures: every second on a terminal, else every minute.
pub(super) fn spawn_status_line(roles: &EmbeddedRoles, supervisor: &mut Supervisor<SystemClock>) {
    let is_terminal = std::io::stdout().is_terminal();
    let interval_s = if is_terminal { 1 } else { 60 };
    let (trades, updates) = (roles.folder.trades.clone(), roles.updates.clone());
    let (bars, hub) = (roles.folder.bars.clone(), roles.hub.clone());
    supervisor.spawn(ShutdownStage::Observe, "figures", move |stop| async move {
        let mut records = count_appended_records(&trades).await;
        loop {
            let sleep = SystemClock.sleep(Duration::from_secs(interval_s));
            if stop.run_until_cancelled(sleep).await.is_none() {
                return Ok(());
            }
            let before = std::mem::replace(&mut records, count_appended_records(&trades).await);
            let folded: u64 = match bars.all_partition_progress().await {
                Ok(rows) => rows.iter().map(|row| row.next_offset).sum(),
                Err(_) => 0,
            };
            let mut line = format!(
                "records {records:>12}  +{:>8}/s  uncommitted {:>8}  updates {:>10}",
                records.saturating_sub(before) / interval_s,
                records.saturating_sub(folded),
                count_appended_records(&updates).await,
            );
            append_newest_prices(&mut line, &bars, &hub).await;
            print_status_line(&line, is_terminal);
        }
    });
}

/// Appends the newest price of the first symbols.
async fn append_newest_prices(line: &mut String, bars: &SqliteBarStore, hub: &Hub) {
    let query = SymbolQuery {
        venue: None,
        after: None,
        limit: SHOWN_SYMBOLS,
    };
    for row in bars.symbols(&query).await.unwrap_or_default() {
        let newest = hub.held_bars(&row.instrument, Interval::M1).pop();
        if let Some(bar) = newest {
            let symbol = row.instrument.symbol();
            line.push_str(&format!("  {symbol} {}", bar.bar.close.price));
        }
    }
}

/// Prints a line; on a terminal it replaces the one before.
fn print_status_line(line: &str, is_terminal: bool) {
    let mut out = std::io::stdout();
    let written = if is_terminal {
        write!(out, "\r\x1b[2K{line}")
    } else {
        writeln!(out, "{line}")
    };
    // The reader of the output may have gone, which is no reason to stop.
    let _ = written.and_then(|()| out.flush());
}

/// Returns the number of records that were ever appended to a topic.
async fn count_appended_records<L: Log>(log: &L) -> u64 {
    let mut sum = 0;
    for partition in 0..log.partition_count() {
        sum += log.bounds(partition).await.map_or(0, |bounds| bounds.end);
    }
    sum
}
