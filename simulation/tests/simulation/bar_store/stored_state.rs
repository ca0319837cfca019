//! What a simulated bar store holds.

use std::collections::{BTreeMap, BTreeSet};

use market::{BarRow, DeclaredSettings, Instrument, Position, Venue, Window};
use store::{
    AMENDMENTS_SCOPE, DirtyMinuteRow, EpochEnds, ExcludedRange, IdSetKey, PartitionProgress,
    PendingAmendmentRow, RefoldMark, SymbolRow, VenueRow,
};

/// What is stored as of one commit.
#[derive(Clone, Default)]
pub struct StoredState {
    /// The generation of `trades`.
    pub epoch: u64,
    pub progress: BTreeMap<u32, PartitionProgress>,
    pub bars: BTreeMap<(Instrument, Window), BarRow>,
    pub symbols: BTreeMap<Instrument, SymbolRow>,
    pub venues: BTreeMap<(u32, Venue), DeclaredSettings>,
    pub ranges: BTreeMap<IdSetKey, BTreeMap<u64, u64>>,
    pub exact: BTreeMap<IdSetKey, BTreeSet<market::TradeId>>,
    pub id_appends: BTreeMap<IdSetKey, i64>,
    pub excluded_ranges: BTreeMap<u32, Vec<ExcludedRange>>,
    pub excluded_amendments: BTreeMap<u32, Vec<ExcludedRange>>,
    /// Excluded ranges of trades and other rows of ids that end before the first time are deleted,
    /// excluded ranges of amendments before the second.
    pub expired_before_ns: (i64, i64),
    pub dirty: BTreeMap<(Instrument, i64), RefoldMark>,
    /// The next offset of each partition when a later epoch was adopted, by (epoch, partition).
    pub switched: BTreeMap<(u64, u32), u64>,
    /// Mutant: ticks beyond the end of their epoch are not excluded.
    pub ignores_epoch_ends: bool,
    pub pending_amendments: BTreeSet<PendingAmendmentRow>,
}

impl StoredState {
    /// Returns where the earlier epochs of a partition ended.
    pub fn epoch_ends(&self, partition: u32) -> EpochEnds {
        let ends = self.switched.iter();
        let here = ends.filter(|((_, of), _)| *of == partition);
        let ends = here.map(|((epoch, _), offset)| Position {
            epoch: *epoch,
            offset: *offset,
        });
        EpochEnds::new(ends.collect())
    }

    /// Returns the excluded ranges of a partition, in order of their positions.
    pub fn all_excluded_ranges(&self, partition: u32) -> Vec<ExcludedRange> {
        let tables = [&self.excluded_ranges, &self.excluded_amendments];
        let ranges = tables.into_iter().filter_map(|table| table.get(&partition));
        let mut ranges: Vec<_> = ranges.flatten().copied().collect();
        if !self.ignores_epoch_ends {
            ranges.extend(self.epoch_ends(partition).excluded_ranges());
        }
        ranges.sort_by_key(|range| (range.epoch, range.first_offset));
        ranges
    }

    /// Deletes what was appended before these times.
    pub fn delete_expired(&mut self, ids_before_ns: i64, amendments_before_ns: i64) {
        // The time that counts goes back when a partition falls behind; what is deleted stays so.
        let (ids_ns, amendments_ns) = self.expired_before_ns;
        self.expired_before_ns = (
            ids_ns.max(ids_before_ns),
            amendments_ns.max(amendments_before_ns),
        );
        for ranges in self.excluded_ranges.values_mut() {
            ranges.retain(|range| range.append_time_ns >= ids_before_ns);
        }
        for ranges in self.excluded_amendments.values_mut() {
            ranges.retain(|range| range.append_time_ns >= amendments_before_ns);
        }
        self.pending_amendments
            .retain(|row| row.append_time_ns >= ids_before_ns);
        let expired = self.id_appends.iter().filter(|(key, last_append_ns)| {
            // Runs are too short for bars to expire, with which the amendments' own ids do.
            key.bucket_ns != -1
                && *key.scope != *AMENDMENTS_SCOPE
                && **last_append_ns < ids_before_ns
        });
        let expired: Vec<IdSetKey> = expired.map(|(key, _)| key.clone()).collect();
        for key in expired {
            self.ranges.remove(&key);
            self.exact.remove(&key);
            self.id_appends.remove(&key);
        }
    }

    /// Puts the settings of each venue's latest change in force in every partition.
    pub fn equalize_settings(&mut self, partitions: u32) {
        let mut latest: BTreeMap<Venue, DeclaredSettings> = BTreeMap::new();
        for ((_, venue), declared) in &self.venues {
            let known = latest.entry(venue.clone()).or_insert(*declared);
            if known.declared_at < declared.declared_at {
                *known = *declared;
            }
        }
        for partition in 0..partitions {
            let rows = latest.iter();
            self.venues
                .extend(rows.map(|(venue, declared)| ((partition, venue.clone()), *declared)));
        }
    }

    pub fn venue_rows(&self, partition: u32) -> Vec<VenueRow> {
        let venues = self.venues.iter().filter(|((of, _), _)| *of == partition);
        let row = |((_, venue), declared): (&(u32, Venue), &DeclaredSettings)| VenueRow {
            venue: venue.clone(),
            settings: declared.settings,
            declared_at: declared.declared_at,
        };
        venues.map(row).collect()
    }

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
