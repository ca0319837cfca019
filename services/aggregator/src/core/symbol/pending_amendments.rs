//! Edits and cancels whose trades have not arrived.

use std::collections::BTreeMap;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use market::{HORIZON_NS, TradeId};
use store::{IdSetKey, PendingAmendmentRow};

/// The trades of one symbol that were edited or cancelled before they arrived.
#[derive(Debug, Default)]
pub(crate) struct PendingAmendments {
    /// When the last edit or cancel of each was appended.
    append_times_ns: HashMap<(IdSetKey, TradeId), i64, RandomState>,
    /// Those of them whose last edit or cancel is not stored yet. A trade that has arrived
    /// meanwhile stays listed: its row expires in the store.
    unstored: BTreeMap<(IdSetKey, TradeId), i64>,
}

impl PendingAmendments {
    /// Adds a stored row.
    pub(crate) fn restore(&mut self, row: PendingAmendmentRow) {
        let append_time_ns = row.append_time_ns;
        let known = self.append_times_ns.entry((row.key, row.id));
        let known = known.or_insert(append_time_ns);
        *known = append_time_ns.max(*known);
    }

    /// Adds a new row, which is to be stored.
    pub(crate) fn add(&mut self, row: PendingAmendmentRow) {
        let key = (row.key.clone(), row.id.clone());
        let unstored_ns = self.unstored.entry(key).or_insert(row.append_time_ns);
        *unstored_ns = row.append_time_ns.max(*unstored_ns);
        self.restore(row);
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.append_times_ns.is_empty()
    }

    /// Removes a trade that has arrived. Returns whether it was pending and not expired. No other
    /// trade of its identity will count, so none waits for it any more.
    pub(crate) fn remove_if_pending(
        &mut self,
        key: IdSetKey,
        id: TradeId,
        append_time_ns: i64,
    ) -> bool {
        let amended_ns = self.append_times_ns.remove(&(key, id));
        amended_ns.is_some_and(|amended_ns| is_pending(amended_ns, append_time_ns))
    }

    /// Takes the rows to store, each trade once.
    pub(crate) fn take_unstored(&mut self) -> impl Iterator<Item = PendingAmendmentRow> {
        let unstored = std::mem::take(&mut self.unstored);
        let row = |((key, id), append_time_ns)| PendingAmendmentRow {
            key,
            id,
            append_time_ns,
        };
        unstored.into_iter().map(row)
    }

    /// Drops those that have expired.
    pub(crate) fn drop_expired(&mut self, append_time_ns: i64) {
        self.append_times_ns
            .retain(|_, amended_ns| is_pending(*amended_ns, append_time_ns));
    }
}

/// Returns whether an amendment of `amended_ns` still waits for its trade: it does as long as an
/// hour can change.
const fn is_pending(amended_ns: i64, append_time_ns: i64) -> bool {
    append_time_ns.saturating_sub(amended_ns) <= HORIZON_NS
}
