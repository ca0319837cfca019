//! The symbols of the partition, by index and by key.

use bytes::Bytes;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use market::Instrument;

use super::symbol::SymbolFold;

/// The symbols of the partition, by their indexes, which never change, and by the keys of their
/// records.
#[derive(Debug, Default)]
pub(crate) struct SymbolTable {
    symbols: Vec<SymbolFold>,
    indexes: HashMap<Bytes, u32, RandomState>,
    /// The index that was found last: the next record is often of the same symbol.
    last_found: Option<u32>,
}

impl SymbolTable {
    /// Returns the index of the symbol that a record's key names.
    #[inline]
    pub(crate) fn find_by_key(&mut self, key: &Bytes) -> Option<u32> {
        if let Some(index) = self.last_found
            && self.get(index).instrument().key().as_bytes() == key
        {
            return Some(index);
        }
        self.last_found = self.indexes.get(key).copied();
        self.last_found
    }

    /// Returns the index of an instrument's symbol.
    pub(crate) fn index_by_instrument(&self, instrument: &Instrument) -> Option<u32> {
        self.indexes.get(instrument.key().as_bytes()).copied()
    }

    /// Adds a symbol and returns its index.
    pub(crate) fn add(&mut self, symbol: SymbolFold) -> u32 {
        let index = self.len();
        let key = Bytes::copy_from_slice(symbol.instrument().key().as_bytes());
        self.indexes.insert(key, index);
        self.symbols.push(symbol);
        index
    }

    /// Returns whether there is no symbol.
    pub(crate) const fn is_empty(&self) -> bool {
        self.symbols.is_empty()
    }

    /// Returns the number of symbols.
    pub(crate) fn len(&self) -> u32 {
        u32::try_from(self.symbols.len()).expect("fewer than 2^32 symbols")
    }

    #[inline]
    pub(crate) fn get(&self, index: u32) -> &SymbolFold {
        &self.symbols[index as usize]
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, index: u32) -> &mut SymbolFold {
        &mut self.symbols[index as usize]
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &SymbolFold> {
        self.symbols.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut SymbolFold> {
        self.symbols.iter_mut()
    }

    /// Returns the indexes of a venue's symbols.
    pub(crate) fn indexes_of_venue(&self, venue: usize) -> Vec<u32> {
        let has_venue = |index: &u32| self.get(*index).venue_index() == venue;
        (0..self.len()).filter(has_venue).collect()
    }
}
