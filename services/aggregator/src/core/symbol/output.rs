//! What a symbol gives away: bars to announce, rows to write, and memory.

use market::BarRow;
use store::IdSetChange;
use store::{StoredBar, SymbolRow, Transaction};

use super::Symbol;

impl Symbol {
    /// The bars that changed since the last call.
    pub(in crate::core) fn take_announced(&mut self) -> Vec<BarRow> {
        let mut windows = std::mem::take(&mut self.announced);
        windows.sort_unstable();
        let mut rows = Vec::with_capacity(windows.len());
        for window in windows {
            let slot = self.slots.get_mut(&window);
            let slot = slot.expect("a changed bar stays in memory");
            slot.announce = false;
            rows.extend(slot.row.clone());
        }
        rows
    }

    /// What changed since the last call: bars, the row of the symbol, ids, marks.
    pub(in crate::core) fn take_written(&mut self, step: &mut Transaction) {
        let Transaction {
            bars,
            symbols,
            id_sets,
            dirty_minutes,
            pending_amendments,
            ..
        } = step;
        self.dirty.take_changes(&self.instrument, dirty_minutes);
        pending_amendments.extend(self.ahead.take_fresh());
        for window in std::mem::take(&mut self.written) {
            let slot = self.slots.get_mut(&window);
            let slot = slot.expect("a changed bar stays in memory");
            slot.write = false;
            bars.extend(slot.row.clone().map(|row| StoredBar {
                instrument: self.instrument.clone(),
                row,
            }));
        }
        if std::mem::take(&mut self.changed) {
            symbols.push(SymbolRow {
                instrument: self.instrument.clone(),
                watermark_ns: self.watermark_ns,
                last_append_ns: self.last_append_ns,
                closed_until_ns: self.closed_until_ns,
            });
        }
        for (key, set) in self.current_ids.iter_mut().chain(&mut self.other_ids) {
            let last_append_ns = set.last_append_ns;
            id_sets.extend(set.take_change().map(|diff| IdSetChange {
                key: key.clone(),
                last_append_ns,
                diff,
            }));
        }
    }

    /// How many rows [`Symbol::take_written`] would give.
    pub(in crate::core) fn unwritten(&self) -> usize {
        let sets = self.current_ids.iter().chain(&self.other_ids);
        let ids: usize = sets.map(|(_, set)| set.unwritten()).sum();
        self.written.len() + usize::from(self.changed) + ids
    }

    /// Drops what is stored, closed, and was not used since a commit. Answers how many bars
    /// and sets are left.
    pub(in crate::core) fn evict(
        &mut self,
        epoch: u64,
        generation: u64,
        before: u64,
        append_time_ns: i64,
    ) -> usize {
        self.settle(epoch, generation);
        self.ahead.forget(append_time_ns);
        self.delta.forget();
        self.slots.retain(|_, slot| {
            let open = slot.row.as_ref().is_some_and(|row| !row.closed);
            open || slot.write || slot.announce || slot.used >= before
        });
        if self.slots.capacity() > 4 * self.slots.len().max(16) {
            self.slots.shrink_to_fit();
        }
        self.other_ids.extend(self.current_ids.take());
        self.other_ids
            .retain(|(_, set)| set.is_changed() || set.used >= before);
        self.slots.len() + self.other_ids.len()
    }
}
