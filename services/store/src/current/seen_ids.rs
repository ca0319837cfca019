//! The ids of one set that were delivered.

use std::collections::{BTreeMap, HashMap, HashSet};

use market::{TradeId, TradeIdRef};

use super::unmatched::UnmatchedDuplicate;
use crate::tick_store::Tick;

/// The ids of one set that were delivered.
#[derive(Debug, Default)]
pub(super) struct SeenIds {
    numbers: SeenNumberRanges,
    others: HashSet<TradeId>,
    /// The greatest append time of their trades, in UTC nanoseconds.
    newest_append_ns: Option<i64>,
    /// Duplicates whose first delivery was not seen yet.
    unmatched: HashMap<TradeId, UnmatchedDuplicate>,
}

impl SeenIds {
    /// Adds an id. Returns whether it is new.
    pub(super) fn insert(&mut self, id: TradeIdRef<'_>, append_time_ns: i64) -> bool {
        let is_new = match id {
            TradeIdRef::Number(number) => self.numbers.insert(number),
            TradeIdRef::Other(id) => !self.others.contains(id) && self.others.insert(id.clone()),
        };
        let newest_ns = self.newest_append_ns.get_or_insert(append_time_ns);
        *newest_ns = append_time_ns.max(*newest_ns);
        if !self.unmatched.is_empty() {
            self.unmatched.remove(&id.to_trade_id());
        }
        is_new
    }

    /// Adds a duplicate, whose first delivery was seen before or may follow.
    pub(super) fn record_duplicate_if_unmatched(&mut self, id: TradeIdRef<'_>, tick: &Tick) {
        let is_seen = match id {
            TradeIdRef::Number(number) => self.numbers.contains(number),
            TradeIdRef::Other(id) => self.others.contains(id),
        };
        if !is_seen {
            self.unmatched
                .entry(id.to_trade_id())
                .or_insert(UnmatchedDuplicate {
                    position: tick.position,
                    time_ns: tick.trade.time_ns,
                });
        }
    }

    /// Forgets all ids if the newest was appended more than `retention_ns` before or after
    /// `append_time_ns`.
    pub(super) fn forget_if_stale(&mut self, append_time_ns: i64, retention_ns: i64) {
        let is_stale = self.newest_append_ns.is_some_and(|newest_ns| {
            append_time_ns.abs_diff(newest_ns) > retention_ns.unsigned_abs()
        });
        if is_stale {
            self.numbers = SeenNumberRanges::default();
            self.others.clear();
        }
    }

    /// Removes and returns the duplicates whose first delivery was not seen.
    pub(super) fn take_unmatched(&mut self) -> impl Iterator<Item = UnmatchedDuplicate> {
        std::mem::take(&mut self.unmatched).into_values()
    }
}

/// Numbers as inclusive ranges that neither overlap nor touch, by their first numbers.
#[derive(Debug, Default)]
struct SeenNumberRanges(BTreeMap<u64, u64>);

impl SeenNumberRanges {
    fn contains(&self, number: u64) -> bool {
        let below = self.0.range(..=number).next_back();
        below.is_some_and(|(_, last)| number <= *last)
    }

    /// Adds a number. Returns whether it is new.
    fn insert(&mut self, number: u64) -> bool {
        let above = number.checked_add(1);
        let touches = |last: u64| last.checked_add(1) == Some(number);
        if let Some((_, last)) = self.0.range_mut(..=number).next_back() {
            if number <= *last {
                return false;
            }
            if touches(*last) {
                *last = number;
                let joined = above.and_then(|above| self.0.remove(&above));
                if let Some(end) = joined
                    && let Some((_, last)) = self.0.range_mut(..=number).next_back()
                {
                    *last = end;
                }
                return true;
            }
        }
        let joined = above.and_then(|above| self.0.remove(&above));
        self.0.insert(number, joined.unwrap_or(number));
        true
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::SeenNumberRanges;

    proptest! {
        #[test]
        fn ranges_hold_what_was_inserted_and_nothing_else(
            numbers in prop::collection::vec(prop_oneof![0..40_u64, u64::MAX - 3..=u64::MAX], 0..80),
        ) {
            let (mut ranges, mut known) = (SeenNumberRanges::default(), BTreeSet::new());
            for number in numbers {
                prop_assert_eq!(ranges.contains(number), known.contains(&number));
                prop_assert_eq!(ranges.insert(number), known.insert(number));
            }
            let listed: Vec<_> = ranges.0.iter().flat_map(|(first, last)| *first..=*last).collect();
            prop_assert_eq!(listed, known.into_iter().collect::<Vec<_>>());
            let pairs: Vec<_> = ranges.0.into_iter().collect();
            prop_assert!(pairs.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0));
        }
    }
}
