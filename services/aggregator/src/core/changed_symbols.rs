//! Which symbols have changes to announce and to write.

/// The symbols with changes, each at most once in each list.
///
/// A symbol is in a list exactly if its [`SymbolChangeFlags`] says so.
#[derive(Debug, Default)]
pub(crate) struct ChangedSymbols {
    to_announce: Vec<u32>,
    to_write: Vec<u32>,
}

/// Which lists a symbol is in, kept with the symbol so that a trade finds it without a look-up.
#[derive(Debug, Default)]
pub(crate) struct SymbolChangeFlags {
    to_announce: bool,
    to_write: bool,
}

impl SymbolChangeFlags {
    /// Clears the flag that marks the symbol as listed for announcing.
    pub(crate) const fn clear_announce_flag(&mut self) {
        self.to_announce = false;
    }

    /// Clears the flag that marks the symbol as listed for writing.
    pub(crate) const fn clear_write_flag(&mut self) {
        self.to_write = false;
    }
}

impl ChangedSymbols {
    /// Adds a symbol to both lists.
    #[inline]
    pub(crate) fn add(&mut self, index: u32, flags: &mut SymbolChangeFlags) {
        if !std::mem::replace(&mut flags.to_announce, true) {
            self.to_announce.push(index);
        }
        if !std::mem::replace(&mut flags.to_write, true) {
            self.to_write.push(index);
        }
    }

    /// Returns whether any symbol has changes to announce.
    pub(crate) const fn has_symbols_to_announce(&self) -> bool {
        !self.to_announce.is_empty()
    }

    /// Takes the symbols to announce, whose flags are then to be cleared.
    pub(crate) fn take_to_announce(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.to_announce)
    }

    /// Takes the symbols to write, whose flags are then to be cleared.
    pub(crate) fn take_to_write(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.to_write)
    }

    /// Returns the symbols to write.
    pub(crate) fn symbols_to_write(&self) -> &[u32] {
        &self.to_write
    }
}
