//! The ranges and the segments against plain sets.

mod segments;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

fn empty_row() -> StoredIdSet {
    StoredIdSet {
        ranges: Vec::new(),
        segments: Vec::new(),
        last_append_ns: 0,
    }
}

/// Inserts a number into a set of ranges.
fn insert_number(set: &mut IdSet, number: u64) -> bool {
    let at = AppliedAt::new(market::Position::default(), 0, 0);
    let inserted = set.insert(TradeIdRef::Number(number), &IdDigestKey::new([0; 32]), at);
    inserted.unwrap()
}

fn as_ranges(numbers: &BTreeSet<u64>) -> Vec<(u64, u64)> {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for &number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    ranges
}

fn arbitrary_number() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0_u64..40, 1 => (u64::MAX - 5)..=u64::MAX]
}

proptest! {
    /// Numbers in any order, with the change taken at any moment: each number is new once,
    /// and the changes, applied to a stored copy, make up exactly the set.
    #[test]
    fn ranges_are_a_set(numbers in prop::collection::vec((arbitrary_number(), any::<bool>()), 0..200)) {
        let mut set = IdSet::from_ranges(&empty_row(), 0);
        let mut model = BTreeSet::new();
        let mut stored: BTreeMap<u64, u64> = BTreeMap::new();
        for (number, take) in numbers {
            prop_assert_eq!(insert_number(&mut set, number), model.insert(number));
            if take {
                apply_writes(&mut stored, set.take_change(0));
                let ranges: Vec<_> = stored.clone().into_iter().collect();
                prop_assert_eq!(&ranges, &as_ranges(&model));
                set = IdSet::from_ranges(&StoredIdSet { ranges, ..empty_row() }, 0);
            }
        }
        apply_writes(&mut stored, set.take_change(0));
        prop_assert_eq!(stored.into_iter().collect::<Vec<_>>(), as_ranges(&model));
        set.clear();
        prop_assert!(insert_number(&mut set, 1));
    }
}

fn apply_writes(stored: &mut BTreeMap<u64, u64>, change: Option<IdSetWrites>) {
    if let Some(IdSetWrites::Ranges {
        upserted,
        removed_firsts,
    }) = change
    {
        for first in removed_firsts {
            stored.remove(&first);
        }
        stored.extend(upserted);
    }
}
