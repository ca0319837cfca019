//! What was sent and acknowledged.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use market::{Decimal, Side, Trade};

use crate::journal::lock;

/// The values of a trade that an edit can change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Values {
    pub(crate) price: Decimal,
    pub(crate) quantity: Option<Decimal>,
    pub(crate) side: Option<Side>,
}

impl Values {
    pub(crate) const fn of(trade: &Trade) -> Self {
        Self {
            price: trade.price,
            quantity: trade.quantity,
            side: trade.side,
        }
    }
}

/// A trade that was sent.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Its values after every edit that was sent.
    pub(crate) values: Values,
    /// When it was first sent and acknowledged, in milliseconds of the run.
    pub(crate) sent_ms: u64,
    pub(crate) acked_ms: Option<u64>,
    pub(crate) is_cancelled: bool,
    /// Whether an edit or a cancel of it is under way: there is one at a time, so that the order
    /// of the edits is known.
    pub(crate) is_amending: bool,
}

/// A record that nobody can count.
#[derive(Debug, Clone)]
pub(crate) struct Garbage {
    pub(crate) what: &'static str,
    pub(crate) epoch: u64,
    pub(crate) partition: u32,
    pub(crate) offset: u64,
}

/// Totals of a run.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Totals {
    pub(crate) requests: u64,
    pub(crate) retries: u64,
    pub(crate) repeats: u64,
    pub(crate) foreign: u64,
    pub(crate) late: u64,
    pub(crate) edits: u64,
    pub(crate) cancels: u64,
    pub(crate) ahead: u64,
    /// Trades that an API pod refused for good: there should be none.
    pub(crate) refused: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Book {
    pub(crate) entries: HashMap<String, Entry>,
    pub(crate) garbage: Vec<Garbage>,
    pub(crate) totals: Totals,
}

/// What was sent and acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Book>);

impl Ledger {
    pub(crate) fn open(&self) -> MutexGuard<'_, Book> {
        lock(&self.0)
    }
}

impl Book {
    pub(crate) fn acked(&self) -> usize {
        let acked = |entry: &&Entry| entry.acked_ms.is_some();
        self.entries.values().filter(acked).count()
    }
}

/// What a trade is known by, as text: the venue's id, or, since trades without one get times of
/// their own here, its time.
pub(crate) fn name_of(instrument: &str, trade: &Trade) -> String {
    let scope = trade.scope.as_deref().unwrap_or("");
    match &trade.id {
        Some(id) => format!("{instrument} {scope}/{id}"),
        None => format!("{instrument} @{}", trade.time_ns),
    }
}
