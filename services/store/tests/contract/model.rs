//! Random transactions, against maps in memory.

use std::collections::BTreeMap;

use candlewick_store::{
    BarKey, BarQuery, BarReader, BarStore, CommitOutcome, ExcludedRange, IdRangeQuery, IdSetChange,
    IdSetDiff, IdSetKey, IdSetRow, PartitionProgress, StoredBar, SymbolQuery, SymbolRow,
    Transaction, VenueRow, Verdict,
};
use market::{
    HOUR_NS, Instrument, Interval, MINUTE_NS, Position, RejectReason, TradeId, VenueSettings,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::fixtures::{bar, id_key, instrument};

/// Each instrument's partition is its place, halved.
const INSTRUMENTS: [&str; 4] = ["a:X", "a:Y", "b:X", "b:X-1"];
const PARTITIONS: u32 = 2;
const SCOPES: [&str; 2] = ["", "NYSE"];
const BUCKETS: [i64; 3] = [-1, 0, HOUR_NS];
const INTERVALS: [Interval; 2] = [Interval::M1, Interval::H1];

#[derive(Debug, Clone)]
enum Action {
    CommitOutcome(Draft),
    Expire(i64, i64),
}

/// A step before the model gives it its place.
#[derive(Debug, Clone)]
struct Draft {
    partition: u32,
    /// How far from the truth the expected offset is.
    astray: u64,
    advance: u64,
    /// Instrument, interval, minute, number, closed.
    bars: Vec<(usize, usize, i64, u64, bool)>,
    /// Instrument, time.
    symbols: Vec<(usize, i64)>,
    /// Venue, lateness.
    venues: Vec<(usize, i64)>,
    ids: Vec<DraftIds>,
    rejected: bool,
}

#[derive(Debug, Clone)]
struct DraftIds {
    instrument: usize,
    scope: usize,
    bucket: usize,
    last_append_ns: i64,
    remove: Vec<u64>,
    /// Where none is put, exact ids are added.
    put: BTreeMap<u64, u64>,
}

fn action() -> impl Strategy<Value = Action> {
    let expire = (0..60_i64, 0..60_i64).prop_map(|(bars, ids)| Action::Expire(bars, ids));
    prop_oneof![8 => draft().prop_map(Action::CommitOutcome), 1 => expire]
}

fn draft() -> impl Strategy<Value = Draft> {
    let astray = prop_oneof![9 => Just(0), 1 => Just(1_u64)];
    let bar = (
        0..2_usize,
        0..INTERVALS.len(),
        0..3_i64,
        0..100_u64,
        any::<bool>(),
    );
    let place = (0..PARTITIONS, astray, 1..5_u64, any::<bool>());
    let symbols = vec((0..2_usize, 0..100_i64), 0..3);
    let venues = vec((0..2_usize, 0..100_i64), 0..2);
    let all = (
        place,
        vec(bar, 0..6),
        symbols,
        venues,
        vec(draft_ids(), 0..5),
    );
    all.prop_map(|(place, bars, symbols, venues, ids)| Draft {
        partition: place.0,
        astray: place.1,
        advance: place.2,
        bars,
        symbols,
        venues,
        ids,
        rejected: place.3,
    })
}

fn draft_ids() -> impl Strategy<Value = DraftIds> {
    const HALF: u64 = 1 << 63;
    let number = || prop_oneof![0..6_u64, HALF - 2..HALF + 2, u64::MAX - 2..=u64::MAX];
    let key = (0..2_usize, 0..SCOPES.len(), 0..BUCKETS.len());
    let put = proptest::collection::btree_map(number(), number(), 0..4);
    let all = (key, 0..100_i64, vec(number(), 0..3), put);
    all.prop_map(|(key, last_append_ns, mut remove, put)| {
        remove.retain(|first| !put.contains_key(first));
        DraftIds {
            instrument: key.0,
            scope: key.1,
            bucket: key.2,
            last_append_ns,
            remove,
            put,
        }
    })
}

/// What a store should hold.
#[derive(Default)]
struct Model {
    progress: BTreeMap<u32, PartitionProgress>,
    bars: BTreeMap<BarKey, (u32, StoredBar)>,
    symbols: BTreeMap<String, (u32, SymbolRow)>,
    venues: BTreeMap<(u32, String), VenueRow>,
    ids: BTreeMap<IdSetKey, IdSet>,
    rejected: BTreeMap<(u32, u64), ExcludedRange>,
    /// Exact ids are new each time.
    exact: u64,
}

#[derive(Default, Clone)]
struct IdSet {
    ranges: BTreeMap<u64, u64>,
    exact: Vec<TradeId>,
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
            .map(|(of, interval, minute, number, closed)| {
                let start_ns = *minute * MINUTE_NS;
                bar(
                    &self.instrument(*of),
                    INTERVALS[*interval],
                    start_ns,
                    *number,
                    *closed,
                )
            });
        once(bars.map(|bar| (key(&bar), bar)))
    }

    fn symbols(&self) -> Vec<SymbolRow> {
        let symbols = self.symbols.iter().map(|(of, time)| SymbolRow {
            instrument: self.instrument(*of),
            watermark_ns: *time,
            last_append_ns: *time * 2,
            closed_until_ns: -*time,
        });
        once(symbols.map(|row| (row.instrument.clone(), row)))
    }

    fn venues(&self) -> Vec<VenueRow> {
        let venues = self.venues.iter().map(|(name, lateness_ns)| VenueRow {
            venue: ["a", "b"][*name].parse().unwrap(),
            settings: VenueSettings {
                lateness_ns: *lateness_ns,
                ..VenueSettings::default()
            },
        });
        once(venues.map(|row| (row.venue.clone(), row)))
    }

    fn ids(&self, exact: &mut u64) -> Vec<IdSetChange> {
        let changes = self.ids.iter().map(|ids| {
            let instrument = self.instrument(ids.instrument);
            let diff = if ids.put.is_empty() {
                *exact += 1;
                let text = TradeId::Text(format!("x{exact}").into());
                IdSetDiff::Exact {
                    added: vec![TradeId::Number(*exact), text],
                }
            } else {
                IdSetDiff::Ranges {
                    upserted: ids.put.clone().into_iter().collect(),
                    removed_firsts: ids.remove.clone(),
                }
            };
            IdSetChange {
                key: id_key(instrument.key(), SCOPES[ids.scope], BUCKETS[ids.bucket]),
                last_append_ns: ids.last_append_ns,
                diff,
            }
        });
        once(changes.map(|change| (change.key.clone(), change)))
    }

    fn rejected(&self, at: PartitionProgress) -> Vec<ExcludedRange> {
        let verdict = [
            Verdict::Duplicate,
            Verdict::Rejected(RejectReason::BeyondHorizon),
        ];
        let end = at.next_offset + self.advance;
        let range = ExcludedRange {
            epoch: at.epoch,
            first_offset: at.next_offset,
            end_offset: end - (self.advance - 1) / 2,
            verdict: verdict[(self.advance % 2) as usize],
            append_time_ns: i64::try_from(end).unwrap(),
        };
        self.rejected.then_some(range).into_iter().collect()
    }
}

/// The last of each key.
fn once<K: Ord, V>(rows: impl Iterator<Item = (K, V)>) -> Vec<V> {
    rows.collect::<BTreeMap<_, _>>().into_values().collect()
}

impl Model {
    fn transaction(&mut self, draft: &Draft) -> Transaction {
        let at = self.progress[&draft.partition];
        let next_offset = at.next_offset + draft.advance;
        Transaction {
            expected: Position {
                epoch: at.epoch,
                offset: at.next_offset + draft.astray,
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
            id_sets: draft.ids(&mut self.exact),
            excluded_ranges: draft.rejected(at),
            dirty_minutes: Vec::new(),
            pending_amendments: Vec::new(),
        }
    }

    fn take(&mut self, transaction: &Transaction) -> CommitOutcome {
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
            match &change.diff {
                IdSetDiff::Exact { added } => set.exact.extend(added.iter().cloned()),
                IdSetDiff::Ranges {
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
            self.rejected
                .insert((partition, range.first_offset), *range);
        }
        CommitOutcome::Committed
    }

    fn expire(&mut self, bars_before_ns: i64, ids_before_ns: i64) {
        self.bars
            .retain(|_, (_, bar)| bar.row.bar.first_append_ns >= bars_before_ns);
        self.ids
            .retain(|key, set| key.bucket_ns == -1 || set.last_append_ns >= ids_before_ns);
        self.rejected
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

async fn agree(store: &impl BarStore, model: &Model) {
    let progress: Vec<_> = model.progress.values().copied().collect();
    assert_eq!(store.partition_progress().await.unwrap(), progress);
    bars_agree(store, model).await;
    ids_agree(store, model).await;
    let query = SymbolQuery {
        venue: None,
        after: None,
        limit: 100,
    };
    let symbols: Vec<_> = model.symbols.values().map(|(_, row)| row.clone()).collect();
    assert_eq!(store.symbols(&query).await.unwrap(), symbols);
    for partition in 0..PARTITIONS {
        let state = store.load_partition(partition, 1).await.unwrap();
        let mine = |of: &u32| *of == partition;
        let symbols = model.symbols.values().filter(|(of, _)| mine(of));
        let venues = model.venues.iter().filter(|((of, _), _)| mine(of));
        let open = model
            .bars
            .values()
            .filter(|(of, bar)| mine(of) && !bar.row.closed);
        let rejected = model.rejected.iter().filter(|((of, _), _)| mine(of));
        assert!(state.symbols.iter().eq(symbols.map(|(_, row)| row)));
        assert!(state.venues.iter().eq(venues.map(|(_, row)| row)));
        assert!(state.open_bars.iter().eq(open.map(|(_, bar)| bar)));
        let read = store
            .excluded_ranges(partition, 1, 0, u64::MAX)
            .await
            .unwrap();
        assert!(read.iter().eq(rejected.map(|(_, range)| range)));
    }
}

async fn bars_agree(store: &impl BarStore, model: &Model) {
    for instrument in all_instruments() {
        for interval in INTERVALS {
            let query = BarQuery {
                instrument: instrument.clone(),
                interval,
                start_ns: i64::MIN,
                end_ns: i64::MAX,
                limit: 100,
                keep_newest: false,
            };
            let expected = model
                .bars
                .iter()
                .filter(|(key, _)| key.instrument == instrument && key.window.interval == interval);
            let expected: Vec<_> = expected.map(|(_, (_, bar))| bar.row.clone()).collect();
            assert_eq!(store.bar_range(&query).await.unwrap(), expected);
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

async fn ids_agree(store: &impl BarStore, model: &Model) {
    for instrument in all_instruments() {
        for (scope, bucket_ns) in SCOPES
            .into_iter()
            .flat_map(|scope| BUCKETS.map(|at| (scope, at)))
        {
            let key = id_key(instrument.key(), scope, bucket_ns);
            let mut read = store
                .id_sets(std::slice::from_ref(&key))
                .await
                .unwrap()
                .remove(0);
            let set = model.ids.get(&key).cloned().unwrap_or_default();
            let mut expected = IdSetRow {
                ranges: set.ranges.into_iter().collect(),
                exact: set.exact,
                last_append_ns: set.last_append_ns,
            };
            read.exact.sort_unstable();
            expected.exact.sort_unstable();
            assert_eq!(read, expected, "{key:?}");
        }
    }
    for venue in ["a", "b"] {
        let query = IdRangeQuery {
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
        let state = store.load_partition(partition, 1).await.unwrap();
        model.progress.insert(partition, state.progress);
    }
    for action in actions {
        match action {
            Action::CommitOutcome(draft) => {
                let transaction = model.transaction(draft);
                let outcome = store.commit(&transaction).await.unwrap();
                assert_eq!(outcome, model.take(&transaction));
            }
            Action::Expire(bars, ids) => {
                while store.delete_expired(*bars, *ids).await.unwrap() > 0 {}
                model.expire(*bars, *ids);
            }
        }
    }
    agree(store, &model).await;
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
}
