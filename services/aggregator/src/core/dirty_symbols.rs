//! Which symbols have dirty minutes.

use std::collections::BTreeSet;

/// The indexes of the symbols that have dirty minutes, in ascending order.
#[derive(Debug, Default)]
pub(crate) struct SymbolsWithDirtyMinutes(BTreeSet<u32>);

impl SymbolsWithDirtyMinutes {
    /// Adds a symbol that has a dirty minute.
    pub(crate) fn add(&mut self, index: u32) {
        self.0.insert(index);
    }

    /// Adds or removes a symbol by the number of its dirty minutes.
    pub(crate) fn add_or_remove(&mut self, index: u32, dirty_minute_count: usize) {
        if dirty_minute_count > 0 {
            self.0.insert(index);
        } else {
            self.0.remove(&index);
        }
    }

    /// Returns the indexes of the symbols.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> {
        self.0.iter().copied()
    }
}
