//! What a simulated bar store holds.

use std::collections::{BTreeMap, BTreeSet};

use market::{BarRow, DeclaredSettings, Instrument, Position, Venue, Window};
use store::{
    AMENDMENTS_SCOPE, DirtyMinuteRow, EpochEnds, ExcludedRange, IdSegmentKey, IdSegmentStart,
    IdSegmentSummary, IdSetKey, IdSetWrites, PartitionProgress, PendingAmendmentRow, RefoldMark,
    SegmentIds, StoredIdSegment, StoredIdSet, SymbolRow, VenueRow,
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
    pub id_segments: BTreeMap<IdSetKey, BTreeMap<IdSegmentStart, Vec<SegmentIds>>>,
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
            self.id_segments.remove(&key);
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

    /// Writes the change of a set of ids.
    pub fn apply_id_writes(&mut self, key: &IdSetKey, writes: &IdSetWrites) {
        match writes {
            IdSetWrites::Ranges {
                upserted,
                removed_firsts,
            } => {
                let ranges = self.ranges.entry(key.clone()).or_default();
                removed_firsts
                    .iter()
                    .for_each(|first| _ = ranges.remove(first));
                ranges.extend(upserted.iter().copied());
            }
            IdSetWrites::Segments { removed, written } => {
                let segments = self.id_segments.entry(key.clone()).or_default();
                for start in removed {
                    assert!(segments.remove(start).is_some(), "it was stored");
                }
                for write in written {
                    let chunks = segments.entry(write.start).or_default();
                    assert_eq!(chunks.len(), write.chunk as usize, "chunks have no gaps");
                    chunks.push(write.ids.clone());
                }
            }
        }
    }

    pub fn id_set(&self, key: &IdSetKey) -> StoredIdSet {
        let ranges = self.ranges.get(key).into_iter().flatten();
        let segments = self.id_segments.get(key).into_iter().flatten();
        let segments = segments.map(|(start, chunks)| IdSegmentSummary {
            start: *start,
            chunk_count: u32::try_from(chunks.len()).unwrap(),
            stored_bytes: 1,
        });
        StoredIdSet {
            ranges: ranges.map(|(first, last)| (*first, *last)).collect(),
            segments: segments.collect(),
            last_append_ns: self.id_appends.get(key).copied().unwrap_or(0),
        }
    }

    pub fn id_segment(&self, key: &IdSegmentKey) -> StoredIdSegment {
        let segments = self.id_segments.get(&key.set);
        let chunks = segments.and_then(|segments| segments.get(&key.start));
        let mut ids = SegmentIds::empty(key.start);
        for chunk in chunks.into_iter().flatten() {
            match (&mut ids, chunk) {
                (SegmentIds::Numbers(ids), SegmentIds::Numbers(more)) => ids.extend(more),
                (SegmentIds::Digests(ids), SegmentIds::Digests(more)) => ids.extend(more),
                _ => unreachable!("a segment has ids of one kind"),
            }
        }
        match &mut ids {
            SegmentIds::Numbers(ids) => ids.sort_unstable(),
            SegmentIds::Digests(ids) => ids.sort_unstable(),
        }
        StoredIdSegment {
            ids,
            chunk_count: u32::try_from(chunks.map_or(0, Vec::len)).unwrap(),
        }
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
