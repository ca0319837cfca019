//! Trades that were edited or cancelled before they came.

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use market::{HORIZON_NS, TradeId};
use store::{IdSetKey, PendingAmendmentRow};

/// Those of one symbol.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// When the log took the last edit or cancel of each.
    waiting: HashMap<(IdSetKey, TradeId), i64, RandomState>,
    /// Those that are not stored yet.
    fresh: Vec<PendingAmendmentRow>,
}

impl Ahead {
    pub(super) fn restore(&mut self, row: PendingAmendmentRow) {
        let append_time_ns = row.append_time_ns;
        let known = self.waiting.entry((row.key, row.id));
        let known = known.or_insert(append_time_ns);
        *known = append_time_ns.max(*known);
    }

    pub(super) fn expect(&mut self, row: PendingAmendmentRow) {
        self.fresh.push(row.clone());
        self.restore(row);
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether a trade that has come was waited for. It is not any more: no other of its
    /// identity will count.
    pub(super) fn take(&mut self, key: IdSetKey, id: TradeId, append_time_ns: i64) -> bool {
        let amended_ns = self.waiting.remove(&(key, id));
        amended_ns.is_some_and(|amended_ns| waits(amended_ns, append_time_ns))
    }

    /// Those that are to be stored.
    pub(super) fn take_fresh(&mut self) -> Vec<PendingAmendmentRow> {
        std::mem::take(&mut self.fresh)
    }

    /// Drops those that are not waited for any more.
    pub(super) fn forget(&mut self, append_time_ns: i64) {
        self.waiting
            .retain(|_, amended_ns| waits(*amended_ns, append_time_ns));
    }
}

/// An edit or a cancel waits for its trade as long as an hour can change.
const fn waits(amended_ns: i64, append_time_ns: i64) -> bool {
    append_time_ns.saturating_sub(amended_ns) <= HORIZON_NS
}
