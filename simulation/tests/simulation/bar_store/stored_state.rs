//! What a simulated bar store holds.

use std::collections::{BTreeMap, BTreeSet};

use market::{BarRow, Instrument, Venue, VenueSettings, Window};
use store::{
    DirtyMinuteRow, ExcludedRange, IdSetKey, PartitionProgress, PendingAmendmentRow, RefoldMark,
    SymbolRow,
};

/// What is stored as of one commit.
#[derive(Clone, Default)]
pub struct StoredState {
    pub progress: BTreeMap<u32, PartitionProgress>,
    pub bars: BTreeMap<(Instrument, Window), BarRow>,
    pub symbols: BTreeMap<Instrument, SymbolRow>,
    pub venues: BTreeMap<(u32, Venue), VenueSettings>,
    pub ranges: BTreeMap<IdSetKey, BTreeMap<u64, u64>>,
    pub exact: BTreeMap<IdSetKey, BTreeSet<market::TradeId>>,
    pub id_appends: BTreeMap<IdSetKey, i64>,
    pub excluded_ranges: BTreeMap<u32, Vec<ExcludedRange>>,
    pub dirty: BTreeMap<(Instrument, i64), RefoldMark>,
    /// The next offset of each partition when a later epoch was adopted, by (epoch, partition).
    pub switched: BTreeMap<(u64, u32), u64>,
    pub pending_amendments: BTreeSet<PendingAmendmentRow>,
}

impl StoredState {
    pub fn dirty_of(&self, here: &dyn Fn(&Instrument) -> bool) -> Vec<DirtyMinuteRow> {
        let row =
            |((instrument, start_ns), mark): (&(Instrument, i64), &RefoldMark)| DirtyMinuteRow {
                instrument: instrument.clone(),
                start_ns: *start_ns,
                mark: mark.clone(),
            };
        let rows = self.dirty.iter();
        rows.filter(|((instrument, _), _)| here(instrument))
            .map(row)
            .collect()
    }
}
