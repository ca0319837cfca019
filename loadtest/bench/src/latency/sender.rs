//! Posting trades at an even pace.

use std::time::Duration;

use client::RestClient;
use clock::{Clock, SystemClock};
use market::{Decimal, Symbol, Trade, TradeId};
use schemas::TradesBatch;

use super::pending_trades::{PendingTrade, PendingTrades};
use super::plan::{BATCHES_PER_SECOND, SECONDS, SYMBOLS};

/// One of several senders that take turns. Each posts the trades of symbols of its own.
pub(super) struct TradeSender {
    pub(super) number: usize,
    /// The number of senders.
    pub(super) senders: usize,
    pub(super) rest: RestClient,
    pub(super) venue: String,
    pub(super) trades_per_batch: u64,
    pub(super) pending: PendingTrades,
}

impl TradeSender {
    /// Posts this sender's batches at an even pace; returns the number of trades.
    ///
    /// A batch that is late is posted at once. The batches that are not posted by the end are
    /// dropped.
    pub(super) fn send_batches_on_schedule(self, start_ns: u64) -> anyhow::Result<u64> {
        let mut last_ids = vec![0; SYMBOLS];
        let symbols = (0..SYMBOLS).map(|symbol| format!("S{symbol}").parse());
        let symbols: Vec<Symbol> = symbols.collect::<Result<_, _>>()?;
        let mut batch = TradesBatch::new(&self.venue.parse()?, &symbols);
        let mut sent = 0;
        for number in (self.number as u64..SECONDS * BATCHES_PER_SECOND).step_by(self.senders) {
            let due_ns = start_ns + number * 1_000_000_000 / BATCHES_PER_SECOND;
            let wait_ns = due_ns.saturating_sub(SystemClock.monotonic_ns());
            std::thread::sleep(Duration::from_nanos(wait_ns));
            if SystemClock.monotonic_ns() - start_ns > SECONDS * 1_000_000_000 {
                break;
            }
            let body = self.generate_batch_and_mark_pending(&mut last_ids, &mut batch)?;
            let response = self.rest.send_trades_batch(&body)?;
            anyhow::ensure!(response.rejected_total == 0, "trades were rejected");
            sent += self.trades_per_batch;
        }
        Ok(sent)
    }

    fn generate_batch_and_mark_pending(
        &self,
        last_ids: &mut [u64],
        batch: &mut TradesBatch,
    ) -> anyhow::Result<Vec<u8>> {
        let (posted_ns, time_ns) = (SystemClock.monotonic_ns(), SystemClock.now_ns());
        let mut pending = self.pending.lock();
        let own_symbols = (self.number..SYMBOLS).step_by(self.senders).cycle();
        for (number, symbol) in (0..self.trades_per_batch).zip(own_symbols) {
            last_ids[symbol] += 1;
            let id = last_ids[symbol];
            let cents = i64::try_from(10_000 + (number * 7 + id) % 500)?;
            let trade = Trade {
                time_ns,
                price: Decimal::new(cents, 2)?,
                quantity: Some(Decimal::new(1, 0)?),
                side: None,
                id: Some(TradeId::Number(id)),
                scope: None,
                sender: None,
            };
            pending[symbol].push_back(PendingTrade { id, posted_ns });
            batch.push(u32::try_from(symbol)?, &trade);
        }
        Ok(batch.take_bytes())
    }
}
