//! Restoring the symbols of a partition from its stored state.

use market::Instrument;
use store::{DirtyMinuteRow, PartitionState, PendingAmendmentRow, StoredBar, SymbolRow, VenueRow};

use super::dirty_symbols::SymbolsWithDirtyMinutes;
use super::id_set::IdDigestKey;
use super::partition_symbols::PartitionSymbols;
use super::symbol::SymbolFold;
use super::symbol_table::SymbolTable;
use super::venue_table::VenueTable;

/// Returns the symbols of a stored state, of a topic with `partitions` partitions.
pub(crate) fn restore_symbols(state: PartitionState, partitions: u32) -> PartitionSymbols {
    let digest_key = IdDigestKey::new(state.id_digest_key);
    let mut restored = RestoredSymbols::new(digest_key);
    restored.add_venues(state.venues);
    restored.add_symbols(state.symbols);
    restored.add_open_bars(state.open_bars);
    restored.add_dirty_minutes(state.dirty_minutes);
    restored.add_pending_amendments(state.pending_amendments);
    let RestoredSymbols {
        venues,
        table,
        dirty,
        digest_key,
    } = restored;
    let partition = state.progress.partition;
    PartitionSymbols::new(partition, partitions, digest_key, venues, table, dirty)
}

/// What has been restored so far. Venues come first, since symbols refer to them.
struct RestoredSymbols {
    venues: VenueTable,
    table: SymbolTable,
    dirty: SymbolsWithDirtyMinutes,
    digest_key: IdDigestKey,
}

impl RestoredSymbols {
    fn new(digest_key: IdDigestKey) -> Self {
        Self {
            venues: VenueTable::default(),
            table: SymbolTable::default(),
            dirty: SymbolsWithDirtyMinutes::default(),
            digest_key,
        }
    }

    fn add_venues(&mut self, rows: Vec<VenueRow>) {
        for row in rows {
            let venue = self.venues.index_or_add(row.venue.as_str());
            self.venues.restore_settings(venue, row.declared());
        }
    }

    fn add_symbols(&mut self, rows: Vec<SymbolRow>) {
        for row in rows {
            let venue = self.venues.index_or_add(row.instrument.venue());
            let ties = self.venues.settings(venue).ties;
            self.table
                .add(SymbolFold::restore(row, venue, ties, self.digest_key));
        }
    }

    fn add_open_bars(&mut self, bars: Vec<StoredBar>) {
        for bar in bars {
            // A forced refold gives a symbol bars before it has traded and has a row.
            let index = self.index_or_add(&bar.instrument);
            self.table.get_mut(index).restore_open_bar(bar.row);
        }
    }

    fn add_dirty_minutes(&mut self, rows: Vec<DirtyMinuteRow>) {
        for row in rows {
            let index = self.index_or_add(&row.instrument);
            let symbol = self.table.get_mut(index);
            symbol.restore_dirty_minute(row.start_ns, row.mark);
            self.dirty.add(index);
        }
    }

    fn add_pending_amendments(&mut self, rows: Vec<PendingAmendmentRow>) {
        for row in rows {
            let index = self.index_or_add(&row.key.instrument);
            self.table.get_mut(index).restore_pending_amendment(row);
        }
    }

    /// Returns the index of an instrument's symbol, which is added if it has not traded yet.
    fn index_or_add(&mut self, instrument: &Instrument) -> u32 {
        if let Some(index) = self.table.index_by_instrument(instrument) {
            return index;
        }
        let venue = self.venues.index_or_add(instrument.venue());
        let ties = self.venues.settings(venue).ties;
        let symbol = SymbolFold::new(instrument.clone(), venue, ties, self.digest_key);
        self.table.add(symbol)
    }
}
