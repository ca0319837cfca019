//! What was sent and acknowledged.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use market::{Decimal, RejectReason, Side, Trade};

use crate::journal::lock;

/// The values of a trade that an edit can change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TradeValues {
    pub(crate) price: Decimal,
    pub(crate) quantity: Option<Decimal>,
    pub(crate) side: Option<Side>,
}

impl TradeValues {
    pub(crate) const fn from_trade(trade: &Trade) -> Self {
        Self {
            price: trade.price,
            quantity: trade.quantity,
            side: trade.side,
        }
    }
}

/// A trade that was sent.
#[derive(Debug, Clone)]
pub(crate) struct SentTrade {
    /// The values after every edit that was sent.
    pub(crate) values: TradeValues,
    /// When the trade was first sent, in milliseconds of the run.
    pub(crate) sent_ms: u64,
    pub(crate) acknowledged_ms: Option<u64>,
    pub(crate) is_cancelled: bool,
    /// Whether an edit or a cancel of the trade is being sent. There is one at a time, so that the
    /// order of the edits is known.
    pub(crate) is_amending: bool,
}

/// A record that cannot count.
#[derive(Debug, Clone)]
pub(crate) struct SentGarbageRecord {
    pub(crate) what: &'static str,
    /// Why it cannot count.
    pub(crate) reason: RejectReason,
    pub(crate) epoch: u64,
    pub(crate) partition: u32,
    pub(crate) offset: u64,
}

/// Totals of a run.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RunTotals {
    pub(crate) requests: u64,
    pub(crate) retries: u64,
    pub(crate) repeats: u64,
    pub(crate) foreign: u64,
    pub(crate) late: u64,
    pub(crate) edits: u64,
    pub(crate) cancels: u64,
    pub(crate) ahead: u64,
    /// The number of trades that an API pod rejected: there should be none.
    pub(crate) refused: u64,
}

#[derive(Debug, Default)]
pub(crate) struct SentTradesState {
    pub(crate) trades: HashMap<String, SentTrade>,
    pub(crate) garbage: Vec<SentGarbageRecord>,
    /// The number of requests with illegal texts.
    pub(crate) hostile_requests: u64,
    /// What was wrong with the answers to them.
    pub(crate) wrong_answers: Vec<String>,
    pub(crate) totals: RunTotals,
}

/// What was sent and acknowledged.
#[derive(Debug, Default)]
pub(crate) struct SentTrades(Mutex<SentTradesState>);

impl SentTrades {
    pub(crate) fn lock(&self) -> MutexGuard<'_, SentTradesState> {
        lock(&self.0)
    }
}

impl SentTradesState {
    pub(crate) fn acknowledged_count(&self) -> usize {
        let acked = |entry: &&SentTrade| entry.acknowledged_ms.is_some();
        self.trades.values().filter(acked).count()
    }
}

/// Returns a text that identifies a trade: the venue's id, or the time of a trade without one,
/// which is unique here.
pub(crate) fn trade_name(instrument: &str, trade: &Trade) -> String {
    let scope = trade.scope.as_deref().unwrap_or("");
    match &trade.id {
        Some(id) => format!("{instrument} {scope}/{id}"),
        None => format!("{instrument} @{}", trade.time_ns),
    }
}
