//! Texts that no store can hold, legal texts of other scripts, and repeated edits and cancels.

use futures_util::future::join_all;

use super::fault::Fault;
use super::hostile_records::hostile_records;
use super::hostile_requests::hostile_requests;
use crate::cluster::TortureCluster;
use crate::trade_source::{TradeSource, VenueTrade};

/// Symbols that venues have, in the form in which records hold them.
const RARE_SYMBOLS: [&str; 8] = [
    "BTC/USDT:USDT",
    "M&M.NS",
    "ES1!",
    "币安人生USDT",
    "Caf\u{e9} de",
    "한글",
    "العربية",
    "%2e%00",
];
const RARE_TRADES: usize = 6;
const AMENDED_TRADES: usize = 6;
/// The number of illegal records and requests of one fault.
const ILLEGAL: usize = 10;

impl Fault {
    /// Appends illegal records, sends illegal requests, trades of rare symbols, and trades that are
    /// edited and cancelled again and again.
    pub(super) async fn send_hostile_texts_and_repeats(
        &mut self,
        cluster: &TortureCluster,
    ) -> anyhow::Result<()> {
        let mut records = hostile_records(&mut self.random, cluster.kafka.partitions());
        self.random.shuffle(&mut records);
        join_all(
            records
                .into_iter()
                .take(ILLEGAL)
                .map(|record| record.append(cluster)),
        )
        .await;
        let mut requests = hostile_requests(&mut self.random);
        self.random.shuffle(&mut requests);
        for request in requests.into_iter().take(ILLEGAL) {
            request.send(cluster).await;
        }
        let mut rare = self.trades_of_own_symbols(RARE_TRADES);
        for venue_trade in &mut rare {
            let symbol = self.random.choose(&RARE_SYMBOLS);
            venue_trade.symbol = format!("{symbol} {:x}", self.random.next_u64()).into();
        }
        cluster.feed.send_trades(&rare, &mut self.random).await;
        for venue_trade in self.trades_of_own_symbols(AMENDED_TRADES) {
            let mut random = self.random.fork();
            let sent = cluster
                .feed
                .send_with_repeated_amendments(&venue_trade, &mut random);
            sent.await;
        }
        Ok(())
    }

    /// Returns trades with ids, each of a symbol of its own: the feed assigns the ids of its
    /// symbols.
    pub(super) fn trades_of_own_symbols(&mut self, count: usize) -> Vec<VenueTrade> {
        let mut trade_source = TradeSource::new(self.random.fork(), 0);
        let mut trades = Vec::new();
        while trades.len() < count {
            let mut venue_trade = trade_source.next_trade();
            if venue_trade.trade.id.is_some() {
                let number = self.random.next_u64();
                venue_trade.symbol = format!("{}-own-{number:x}", venue_trade.symbol).into();
                trades.push(venue_trade);
            }
        }
        trades
    }
}
