//! Random transactions, against maps in memory.

mod segments;

use std::collections::BTreeMap;

use candlewick_store::{
    BarKey, BarQuery, BarReader, BarStore, CommitOutcome, ExcludedRange, IdRangesQuery,
    IdSegmentKey, IdSegmentStart, IdSetChange, IdSetKey, IdSetWrites, PartitionProgress,
    PartitionTransaction, SegmentIds, StoredBar, SymbolQuery, SymbolRow, TickVerdict, VenueRow,
};
use market::{
    DAY_NS, HOUR_NS, Instrument, Interval, MINUTE_NS, Position, RejectReason, VenueSettings,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::fixtures::{bar, id_key, instrument};
use segments::{merged, segment_writes};

/// Each instrument's partition is its index, halved.
const INSTRUMENTS: [&str; 4] = ["a:X", "a:Y", "b:X", "b:X-1"];
const PARTITIONS: u32 = 2;
const SCOPES: [&str; 2] = ["", "NYSE"];
const BUCKETS: [i64; 3] = [-1, 0, HOUR_NS];
const INTERVALS: [Interval; 2] = [Interval::M1, Interval::H1];
/// In three weeks.
const STARTS_NS: [i64; 4] = [0, MINUTE_NS, 9 * DAY_NS, 100 * DAY_NS];

#[derive(Debug, Clone)]
enum Action {
    Commit(Draft),
    Expire(i64, i64),
}

/// A transaction before the model adds the expected position.
#[derive(Debug, Clone)]
struct Draft {
    partition: u32,
    /// The difference of the expected offset to the stored one.
    offset_error: u64,
    advance: u64,
    /// Instrument, interval, index of the start, number, closed.
    bars: Vec<(usize, usize, usize, u64, bool)>,
    /// Instrument, time.
    symbols: Vec<(usize, i64)>,
    /// Venue, lateness.
    venues: Vec<(usize, i64)>,
    ids: Vec<DraftIdSet>,
    has_excluded_range: bool,
}

#[derive(Debug, Clone)]
struct DraftIdSet {
    instrument: usize,
    scope: usize,
    bucket: usize,
    last_append_ns: i64,
    removed: Vec<u64>,
    /// If it is empty, a number and a digest are added in chunks of their own instead, and the
    /// numbers are removed before if `removed` is not empty.
    upserted: BTreeMap<u64, u64>,
}

fn action() -> impl Strategy<Value = Action> {
    let expire = (0..60_i64, 0..60_i64).prop_map(|(bars, ids)| Action::Expire(bars, ids));
    prop_oneof![8 => draft().prop_map(Action::Commit), 1 => expire]
}

fn draft() -> impl Strategy<Value = Draft> {
    let offset_error = prop_oneof![9 => Just(0), 1 => Just(1_u64)];
    let bar = (
        0..2_usize,
        0..INTERVALS.len(),
        0..STARTS_NS.len(),
        0..100_u64,
        any::<bool>(),
    );
    let progress = (0..PARTITIONS, offset_error, 1..5_u64, any::<bool>());
    let symbols = vec((0..2_usize, 0..100_i64), 0..3);
    let venues = vec((0..2_usize, 0..100_i64), 0..4);
    let all = (
        progress,
        vec(bar, 0..6),
        symbols,
        venues,
        vec(draft_id_set(), 0..5),
    );
    all.prop_map(|(progress, bars, symbols, venues, ids)| Draft {
        partition: progress.0,
        offset_error: progress.1,
        advance: progress.2,
        bars,
        symbols,
        venues,
        ids,
        has_excluded_range: progress.3,
    })
}

fn draft_id_set() -> impl Strategy<Value = DraftIdSet> {
    const HALF: u64 = 1 << 63;
    let number = || prop_oneof![0..6_u64, HALF - 2..HALF + 2, u64::MAX - 2..=u64::MAX];
    let key = (0..2_usize, 0..SCOPES.len(), 0..BUCKETS.len());
    let upserted = proptest::collection::btree_map(number(), number(), 0..4);
    let all = (key, 0..100_i64, vec(number(), 0..3), upserted);
    all.prop_map(|(key, last_append_ns, mut removed, upserted)| {
        removed.retain(|first| !upserted.contains_key(first));
        DraftIdSet {
            instrument: key.0,
            scope: key.1,
            bucket: key.2,
            last_append_ns,
            removed,
            upserted,
        }
    })
}

/// What a store should contain.
#[derive(Default)]
struct Model {
    progress: BTreeMap<u32, PartitionProgress>,
    bars: BTreeMap<BarKey, (u32, StoredBar)>,
    symbols: BTreeMap<String, (u32, SymbolRow)>,
    venues: BTreeMap<(u32, String), VenueRow>,
    ids: BTreeMap<IdSetKey, IdSet>,
    excluded_ranges: BTreeMap<(u32, u64), ExcludedRange>,
}

#[derive(Default, Clone)]
struct IdSet {
    ranges: BTreeMap<u64, u64>,
    segments: BTreeMap<IdSegmentStart, Vec<SegmentIds>>,
    last_append_ns: i64,
}

impl Draft {
    fn instrument(&self, place: usize) -> Instrument {
        instrument(INSTRUMENTS[self.partition as usize * 2 + place])
    }

    fn bars(&self) -> Vec<StoredBar> {
        let bars = self
            .bars
            .iter()
            .map(|(of, interval, start, number, closed)| {
                let start_ns = STARTS_NS[*start];
                bar(
                    &self.instrument(*of),
                    INTERVALS[*interval],
                    start_ns,
                    *number,
                    *closed,
                )
            });
        bars.collect()
    }

    fn symbols(&self) -> Vec<SymbolRow> {
        let symbols = self.symbols.iter().map(|(of, time)| SymbolRow {
            instrument: self.instrument(*of),
            watermark_ns: *time,
            last_append_ns: *time * 2,
            closed_until_ns: -*time,
            newest_minute_ns: *time * 3,
        });
        symbols.collect()
    }

    fn venues(&self) -> Vec<VenueRow> {
        let venues = self.venues.iter().map(|(name, lateness_ns)| VenueRow {
            venue: ["a", "b"][*name].parse().unwrap(),
            settings: VenueSettings {
                lateness_ns: *lateness_ns,
                ..VenueSettings::default()
            },
            declared_at: Position::default(),
        });
        venues.collect()
    }

    fn ids(&self, stored: &BTreeMap<IdSetKey, IdSet>) -> Vec<IdSetChange> {
        let changes = self.ids.iter().map(|ids| {
            let instrument = self.instrument(ids.instrument);
            let key = id_key(instrument.key(), SCOPES[ids.scope], BUCKETS[ids.bucket]);
            let writes = if ids.upserted.is_empty() {
                segment_writes(stored.get(&key), !ids.removed.is_empty())
            } else {
                IdSetWrites::Ranges {
                    upserted: ids.upserted.clone().into_iter().collect(),
                    removed_firsts: ids.removed.clone(),
                }
            };
            IdSetChange {
                key,
                last_append_ns: ids.last_append_ns,
                writes,
            }
        });
        last_per_key(changes.map(|change| (change.key.clone(), change)))
    }

    fn excluded_ranges(&self, at: PartitionProgress) -> Vec<ExcludedRange> {
        let verdict = [
            TickVerdict::Duplicate,
            TickVerdict::Rejected(RejectReason::BeyondHorizon),
        ];
        let end = at.next_offset + self.advance;
        let range = ExcludedRange {
            epoch: at.epoch,
            first_offset: at.next_offset,
            end_offset: end - (self.advance - 1) / 2,
            verdict: verdict[(self.advance % 2) as usize],
            append_time_ns: i64::try_from(end).unwrap(),
        };
        self.has_excluded_range
            .then_some(range)
            .into_iter()
            .collect()
    }
}

/// Returns the last row of each key, in order of keys.
fn last_per_key<K: Ord, V>(rows: impl Iterator<Item = (K, V)>) -> Vec<V> {
    rows.collect::<BTreeMap<_, _>>().into_values().collect()
}

impl Model {
    fn transaction(&mut self, draft: &Draft) -> PartitionTransaction {
        let at = self.progress[&draft.partition];
        let next_offset = at.next_offset + draft.advance;
        PartitionTransaction {
            expected: Position {
                epoch: at.epoch,
                offset: at.next_offset + draft.offset_error,
            },
            progress: PartitionProgress {
                next_offset,
                updates_position: Position {
                    epoch: 9,
                    offset: next_offset * 3,
                },
                append_time_ns: i64::try_from(next_offset).unwrap(),
                ..at
            },
            bars: draft.bars(),
            symbols: draft.symbols(),
            venues: draft.venues(),
            id_sets: draft.ids(&self.ids),
            excluded_ranges: draft.excluded_ranges(at),
            excluded_amendments: Vec::new(),
            dirty_minutes: Vec::new(),
            pending_amendments: Vec::new(),
        }
    }

    fn commit(&mut self, transaction: &PartitionTransaction) -> CommitOutcome {
        let partition = transaction.progress.partition;
        let at = self.progress[&partition];
        if at.next_position() != transaction.expected {
            return CommitOutcome::Conflict;
        }
        self.progress.insert(partition, transaction.progress);
        for bar in &transaction.bars {
            self.bars.insert(key(bar), (partition, bar.clone()));
        }
        for row in &transaction.symbols {
            let key = row.instrument.key().to_owned();
            self.symbols.insert(key, (partition, row.clone()));
        }
        for row in &transaction.venues {
            let key = (partition, row.venue.as_str().to_owned());
            self.venues.insert(key, row.clone());
        }
        for change in &transaction.id_sets {
            let set = self.ids.entry(change.key.clone()).or_default();
            set.last_append_ns = change.last_append_ns;
            match &change.writes {
                IdSetWrites::Segments { removed, written } => {
                    set.segments.retain(|start, _| !removed.contains(start));
                    for write in written {
                        let chunks = set.segments.entry(write.start).or_default();
                        assert_eq!(chunks.len(), write.chunk as usize);
                        chunks.push(write.ids.clone());
                    }
                }
                IdSetWrites::Ranges {
                    upserted,
                    removed_firsts,
                } => {
                    set.ranges
                        .retain(|first, _| !removed_firsts.contains(first));
                    set.ranges.extend(upserted.iter().copied());
                }
            }
        }
        for range in &transaction.excluded_ranges {
            self.excluded_ranges
                .insert((partition, range.first_offset), *range);
        }
        CommitOutcome::Committed
    }

    fn expire(&mut self, bars_before_ns: i64, ids_before_ns: i64) {
        self.bars
            .retain(|_, (_, bar)| bar.row.bar.first_append_ns >= bars_before_ns);
        self.ids
            .retain(|key, set| key.bucket_ns == -1 || set.last_append_ns >= ids_before_ns);
        self.excluded_ranges
            .retain(|_, range| range.append_time_ns >= ids_before_ns);
    }
}

fn key(bar: &StoredBar) -> BarKey {
    BarKey {
        instrument: bar.instrument.clone(),
        window: bar.row.window,
    }
}

fn all_instruments() -> impl Iterator<Item = Instrument> {
    INSTRUMENTS.into_iter().map(instrument)
}

async fn assert_agrees(store: &impl BarStore, model: &Model) {
    let progress: Vec<_> = model.progress.values().copied().collect();
    assert_eq!(store.all_partition_progress().await.unwrap(), progress);
    assert_bars_agree(store, model).await;
    assert_ids_agree(store, model).await;
    let query = SymbolQuery {
        venue: None,
        after: None,
        limit: 100,
    };
    let symbols: Vec<_> = model.symbols.values().map(|(_, row)| row.clone()).collect();
    assert_eq!(store.symbols(&query).await.unwrap(), symbols);
    for partition in 0..PARTITIONS {
        let state = store.load_or_create_partition(partition, 1).await.unwrap();
        let mine = |of: &u32| *of == partition;
        let symbols = model.symbols.values().filter(|(of, _)| mine(of));
        let venues = model.venues.iter().filter(|((of, _), _)| mine(of));
        let open = model
            .bars
            .values()
            .filter(|(of, bar)| mine(of) && !bar.row.closed);
        let excluded_ranges = model.excluded_ranges.iter().filter(|((of, _), _)| mine(of));
        assert!(state.symbols.iter().eq(symbols.map(|(_, row)| row)));
        assert!(state.venues.iter().eq(venues.map(|(_, row)| row)));
        assert!(state.open_bars.iter().eq(open.map(|(_, bar)| bar)));
        let read = store
            .excluded_ranges(partition, 1, 0, u64::MAX)
            .await
            .unwrap();
        assert!(read.iter().eq(excluded_ranges.map(|(_, range)| range)));
    }
}

async fn assert_bars_agree(store: &impl BarStore, model: &Model) {
    for instrument in all_instruments() {
        for interval in INTERVALS {
            let query = |limit, keep_newest| BarQuery {
                instrument: instrument.clone(),
                interval,
                start_ns: i64::MIN,
                end_ns: i64::MAX,
                limit,
                keep_newest,
            };
            let expected = model
                .bars
                .iter()
                .filter(|(key, _)| key.instrument == instrument && key.window.interval == interval);
            let expected: Vec<_> = expected.map(|(_, (_, bar))| bar.row.clone()).collect();
            let all = store.bar_range(&query(100, false)).await.unwrap();
            assert_eq!(all, expected);
            let oldest = store.bar_range(&query(2, false)).await.unwrap();
            assert!(oldest.iter().eq(expected.iter().take(2)));
            let newest = store.bar_range(&query(2, true)).await.unwrap();
            let skipped = expected.len().saturating_sub(2);
            assert!(newest.iter().eq(expected.iter().skip(skipped)));
        }
    }
    let keys: Vec<_> = model.bars.keys().cloned().collect();
    let expected: Vec<_> = model
        .bars
        .values()
        .map(|(_, bar)| Some(bar.row.clone()))
        .collect();
    assert_eq!(store.bars(&keys).await.unwrap(), expected);
}

async fn assert_ids_agree(store: &impl BarStore, model: &Model) {
    for instrument in all_instruments() {
        for (scope, bucket_ns) in SCOPES
            .into_iter()
            .flat_map(|scope| BUCKETS.map(|at| (scope, at)))
        {
            let key = id_key(instrument.key(), scope, bucket_ns);
            let read = store
                .id_sets(std::slice::from_ref(&key))
                .await
                .unwrap()
                .remove(0);
            let set = model.ids.get(&key).cloned().unwrap_or_default();
            let ranges: Vec<_> = set.ranges.into_iter().collect();
            assert_eq!(read.ranges, ranges, "{key:?}");
            assert_eq!(read.last_append_ns, set.last_append_ns, "{key:?}");
            let starts = read.segments.iter().map(|segment| segment.start);
            assert!(starts.eq(set.segments.keys().copied()), "{key:?}");
            let keys = set.segments.keys().map(|start| IdSegmentKey {
                set: key.clone(),
                start: *start,
            });
            let rows = store.id_segments(&keys.collect::<Vec<_>>()).await.unwrap();
            for ((row, summary), chunks) in
                rows.iter().zip(&read.segments).zip(set.segments.values())
            {
                assert_eq!(row.chunk_count as usize, chunks.len(), "{key:?}");
                assert_eq!(summary.chunk_count, row.chunk_count, "{key:?}");
                assert_eq!(row.ids, merged(chunks), "{key:?}");
            }
        }
    }
    for venue in ["a", "b"] {
        let query = IdRangesQuery {
            venue: venue.parse().unwrap(),
            symbol: None,
            after: None,
            limit: 100,
        };
        let sets = model
            .ids
            .iter()
            .filter(|(key, set)| key.instrument.venue() == venue && !set.ranges.is_empty());
        let sets = sets.map(|(key, set)| (key.clone(), set.ranges.clone().into_iter().collect()));
        let sets: Vec<(_, Vec<_>)> = sets.collect();
        assert_eq!(store.id_ranges(&query).await.unwrap(), sets);
    }
}

async fn run(store: &impl BarStore, actions: &[Action]) {
    let mut model = Model::default();
    for partition in 0..PARTITIONS {
        let state = store.load_or_create_partition(partition, 1).await.unwrap();
        model.progress.insert(partition, state.progress);
    }
    for action in actions {
        match action {
            Action::Commit(draft) => {
                let transaction = model.transaction(draft);
                let outcome = store.commit(&transaction).await.unwrap();
                assert_eq!(outcome, model.commit(&transaction));
            }
            Action::Expire(bars, ids) => {
                while store.delete_expired_batch(*bars, *ids, *ids).await.unwrap() > 0 {}
                model.expire(*bars, *ids);
            }
        }
    }
    assert_agrees(store, &model).await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn sqlite_agrees_with_maps(actions in vec(action(), 1..25)) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let (_kept, store) = crate::sqlite::bar_store().await;
            run(&store, &actions).await;
        });
    }
}

proptest! {
    // A database each, which takes a while to make.
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn timescale_agrees_with_maps(actions in vec(action(), 1..25)) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let (_kept, store) = crate::timescale::bar_store().await;
            run(&store, &actions).await;
        });
    }

    #[test]
    fn timescale_with_one_chunk_for_each_commit_agrees_with_maps(
        actions in vec(action(), 1..25),
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let (_kept, store) = crate::timescale::bar_store_of_one_chunk().await;
            run(&store, &actions).await;
        });
    }
}
