//! The ranges against a plain set.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

fn empty_row() -> IdSetRow {
    IdSetRow {
        ranges: Vec::new(),
        exact: Vec::new(),
        last_append_ns: 0,
    }
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
            prop_assert_eq!(set.insert(TradeIdRef::Number(number), 0, 0), model.insert(number));
            if take {
                apply_writes(&mut stored, set.take_change());
                let ranges: Vec<_> = stored.clone().into_iter().collect();
                prop_assert_eq!(&ranges, &as_ranges(&model));
                set = IdSet::from_ranges(&IdSetRow { ranges, ..empty_row() }, 0);
            }
        }
        apply_writes(&mut stored, set.take_change());
        prop_assert_eq!(stored.into_iter().collect::<Vec<_>>(), as_ranges(&model));
        set.clear();
        prop_assert!(set.insert(TradeIdRef::Number(1), 0, 0));
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
