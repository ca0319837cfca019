//! Segments that leave memory at any time, against a plain set.

use std::collections::{BTreeMap, BTreeSet};

use market::TradeId;
use proptest::prelude::*;
use store::{IdSegmentSummary, SegmentIds};

use super::*;

/// A store of one set of ids: the chunks of each segment.
#[derive(Default)]
struct StoredSet {
    segments: BTreeMap<IdSegmentStart, Vec<SegmentIds>>,
}

impl StoredSet {
    fn apply(&mut self, change: Option<IdSetWrites>) {
        let Some(IdSetWrites::Segments { removed, written }) = change else {
            return;
        };
        for start in removed {
            assert!(self.segments.remove(&start).is_some(), "it was stored");
        }
        for write in written {
            assert!(!ids_of(&write.ids).is_empty());
            let chunks = self.segments.entry(write.start).or_default();
            assert_eq!(chunks.len(), write.chunk as usize, "chunks have no gaps");
            chunks.push(write.ids);
        }
    }

    fn row(&self) -> StoredIdSet {
        let segments = self
            .segments
            .iter()
            .map(|(start, chunks)| IdSegmentSummary {
                start: *start,
                chunk_count: u32::try_from(chunks.len()).unwrap(),
                stored_bytes: 1,
            });
        StoredIdSet {
            segments: segments.collect(),
            ..empty_row()
        }
    }

    /// Returns the ids of a segment, as a store reads them.
    fn load(&self, start: IdSegmentStart) -> StoredIdSegment {
        let chunks = self.segments.get(&start).cloned().unwrap_or_default();
        let ids: BTreeSet<u128> = chunks.iter().flat_map(ids_of).collect();
        let ids = match start {
            IdSegmentStart::Number(_) => {
                let number = |id| u64::try_from(id).unwrap();
                SegmentIds::Numbers(ids.into_iter().map(number).collect())
            }
            IdSegmentStart::Digest(_) => SegmentIds::Digests(ids.into_iter().collect()),
        };
        StoredIdSegment {
            ids,
            chunk_count: u32::try_from(chunks.len()).unwrap(),
        }
    }

    fn id_count(&self) -> usize {
        let chunks = self.segments.values().flatten();
        chunks.map(|ids| ids_of(ids).len()).sum()
    }
}

fn ids_of(ids: &SegmentIds) -> Vec<u128> {
    match ids {
        SegmentIds::Numbers(ids) => ids.iter().map(|id| u128::from(*id)).collect(),
        SegmentIds::Digests(ids) => ids.clone(),
    }
}

/// A set in memory and its store.
struct World {
    set: IdSet,
    stored: StoredSet,
    key: IdDigestKey,
    commit_number: u64,
    offset: u64,
    loads: usize,
}

impl World {
    fn new() -> Self {
        Self {
            set: IdSet::from_segments(&empty_row(), 0),
            stored: StoredSet::default(),
            key: IdDigestKey::new([3; 32]),
            commit_number: 1,
            offset: 0,
            loads: 0,
        }
    }

    fn at(&self) -> AppliedAt {
        let position = market::Position {
            epoch: 1,
            offset: self.offset,
        };
        AppliedAt::new(position, 0, self.commit_number)
    }

    /// Loads the segment of an id if it is not in memory.
    fn load_if_missing(&mut self, id: TradeIdRef<'_>) {
        if let Some(missing) = self.set.missing_segment(id, &self.key) {
            let row = self.stored.load(missing.start);
            assert!(row.chunk_count > 0, "only stored segments leave memory");
            self.set.accept_segment(missing.start, row, self.offset);
            self.loads += 1;
        }
        assert_eq!(self.set.missing_segment(id, &self.key), None);
    }

    fn insert(&mut self, id: &TradeId) -> bool {
        self.offset += 1;
        let id = TradeIdRef::from(id);
        let at = self.at();
        match self.set.insert(id, &self.key, at) {
            Ok(is_new) => is_new,
            Err(missing) => {
                assert_eq!(self.set.missing_segment(id, &self.key), Some(missing));
                self.load_if_missing(id);
                self.set.insert(id, &self.key, at).unwrap()
            }
        }
    }

    fn contains(&mut self, id: &TradeId) -> bool {
        self.load_if_missing(TradeIdRef::from(id));
        let at = self.at();
        self.set.contains(TradeIdRef::from(id), &self.key, at)
    }

    /// Takes the change, without its commit yet.
    fn flush(&mut self) -> Option<IdSetWrites> {
        self.set.take_change(self.commit_number)
    }

    fn commit(&mut self, change: Option<IdSetWrites>) {
        self.stored.apply(change);
        self.commit_number += 1;
    }

    fn evict(&mut self) {
        self.set
            .evict_segments_and_count_evicted(u64::MAX, self.commit_number);
    }

    fn restart(&mut self) {
        self.set = IdSet::from_segments(&self.stored.row(), 0);
    }
}

#[derive(Debug, Clone)]
enum Action {
    /// Inserts this many numbers with this difference, which may be negative, from a start.
    InsertNumbers(u64, i64, usize),
    InsertText(u8),
    Flush,
    Commit,
    Evict,
    Restart,
    Clear,
}

fn action() -> impl Strategy<Value = Action> {
    let start = prop_oneof![0..50_u64, any::<u64>(), (u64::MAX - 50)..=u64::MAX];
    let step = prop_oneof![Just(1_i64), -3..4_i64, any::<i64>()];
    prop_oneof![
        8 => (start, step, 1..600_usize).prop_map(|(start, step, count)| Action::InsertNumbers(start, step, count)),
        4 => any::<u8>().prop_map(Action::InsertText),
        4 => Just(Action::Flush),
        4 => Just(Action::Commit),
        4 => Just(Action::Evict),
        1 => Just(Action::Restart),
        1 => Just(Action::Clear),
    ]
}

/// Returns a text of up to 128 characters, or a number beyond 64 bits.
fn text(number: u8) -> TradeId {
    let text = match number % 3 {
        0 => format!("{number}").repeat(42),
        1 => format!("{number:0>128}"),
        _ => format!("id-{number}"),
    };
    TradeId::parse(&text).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Ids in any order; changes that are committed later; segments that leave memory and restarts
    /// at any time: each id is new once.
    #[test]
    fn segments_are_a_set(actions in prop::collection::vec(action(), 1..60)) {
        let (mut world, mut model) = (World::new(), BTreeSet::new());
        let (mut under_way, mut committed_model) = (None, BTreeSet::new());
        for action in actions {
            match action {
                Action::InsertNumbers(start, step, count) => {
                    let mut number = start;
                    for _ in 0..count {
                        let id = TradeId::Number(number);
                        prop_assert_eq!(world.insert(&id), model.insert(id));
                        number = number.wrapping_add_signed(step);
                    }
                }
                Action::InsertText(number) => {
                    let id = text(number);
                    prop_assert_eq!(world.contains(&id), model.contains(&id));
                    prop_assert_eq!(world.insert(&id), model.insert(id));
                }
                Action::Flush if under_way.is_none() => {
                    under_way = Some((world.flush(), model.clone()));
                }
                Action::Flush | Action::Commit => {
                    if let Some((change, then)) = under_way.take() {
                        world.commit(change);
                        committed_model = then;
                        prop_assert_eq!(world.stored.id_count(), committed_model.len());
                    }
                }
                Action::Evict => world.evict(),
                Action::Restart => {
                    under_way = None;
                    world.restart();
                    model = committed_model.clone();
                }
                Action::Clear => {
                    world.set.clear();
                    model.clear();
                }
            }
        }
        for id in &model {
            prop_assert!(world.contains(id), "{} is missing", id);
            prop_assert!(!world.insert(id));
        }
        prop_assert!(!world.contains(&TradeId::parse("never").unwrap()));
    }
}

/// Inserts numbers in some order, with a commit after each 10,000, and evicts all segments after
/// each commit. Returns how many bytes an id takes in memory when all are loaded.
fn bytes_an_id(numbers: impl Iterator<Item = u64>) -> f64 {
    let (mut world, mut count) = (World::new(), 0);
    for number in numbers {
        assert!(world.insert(&TradeId::Number(number)));
        count += 1;
        if count % 10_000 == 0 {
            let change = world.flush();
            world.commit(change);
            world.evict();
        }
    }
    let change = world.flush();
    world.commit(change);
    let starts: Vec<_> = world.stored.segments.keys().copied().collect();
    for start in starts {
        let row = world.stored.load(start);
        world.set.accept_segment(start, row, 0);
    }
    assert_eq!(world.stored.id_count(), count);
    world.set.resident_bytes() as f64 / count as f64
}

#[test]
fn ascending_numbers_take_about_two_bytes_each() {
    assert!(bytes_an_id(1..200_000) < 1.3);
    assert!(bytes_an_id((1..200_000).map(|number| number * 1_000)) < 2.4);
}

#[test]
fn descending_and_random_numbers_are_split_into_segments() {
    assert!(bytes_an_id((1..200_000).rev().map(|number| number * 1_000)) < 2.4);
    let scattered = |number: u64| number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    assert!(bytes_an_id((1..200_000).map(scattered)) < 8.0);
}

#[test]
fn ids_that_ascend_need_no_segment_but_the_last() {
    let mut world = World::new();
    for number in 0..100_000 {
        world.insert(&TradeId::Number(number * 7));
        if number % 5_000 == 0 {
            let change = world.flush();
            world.commit(change);
            world.evict();
        }
    }
    // Only the last one, which was evicted with the others after each commit.
    assert!(world.loads <= 20, "{} loads", world.loads);
    assert!(world.set.resident_bytes() < 100_000);
}
