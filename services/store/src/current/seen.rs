//! The ids of one set that were seen.

use std::collections::{BTreeMap, HashMap, HashSet};

use market::TradeId;

use super::UnmatchedDuplicate;
use crate::Tick;
use market::TradeIdRef as Id;

/// The ids of one set that were seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    numbers: Ranges,
    others: HashSet<TradeId>,
    /// When the log took the newest of them, in UTC nanoseconds.
    newest_append_ns: Option<i64>,
    /// Duplicates whose first delivery was not seen yet.
    waiting: HashMap<TradeId, UnmatchedDuplicate>,
}

impl Seen {
    /// Adds an id; false where it was there.
    pub(super) fn insert(&mut self, id: Id<'_>, append_time_ns: i64) -> bool {
        let is_new = match id {
            Id::Number(number) => self.numbers.insert(number),
            Id::Other(id) => !self.others.contains(id) && self.others.insert(id.clone()),
        };
        let newest_ns = self.newest_append_ns.get_or_insert(append_time_ns);
        *newest_ns = append_time_ns.max(*newest_ns);
        if !self.waiting.is_empty() {
            self.waiting.remove(&id.to_trade_id());
        }
        is_new
    }

    /// Notes a duplicate, whose first delivery has been seen or is yet to come.
    pub(super) fn expect_first(&mut self, id: Id<'_>, tick: &Tick) {
        let is_seen = match id {
            Id::Number(number) => self.numbers.holds(number),
            Id::Other(id) => self.others.contains(id),
        };
        if !is_seen {
            self.waiting
                .entry(id.to_trade_id())
                .or_insert(UnmatchedDuplicate {
                    position: tick.position,
                    time_ns: tick.trade.time_ns,
                });
        }
    }

    /// Forgets all ids where the log took the newest longer ago than they are kept.
    pub(super) fn forget_if_stale(&mut self, append_time_ns: i64, kept_ns: i64) {
        let is_stale = self
            .newest_append_ns
            .is_some_and(|newest_ns| append_time_ns.abs_diff(newest_ns) > kept_ns.unsigned_abs());
        if is_stale {
            self.numbers = Ranges::default();
            self.others.clear();
        }
    }

    /// The duplicates whose first delivery has not come.
    pub(super) fn take_lost(&mut self) -> impl Iterator<Item = UnmatchedDuplicate> {
        std::mem::take(&mut self.waiting).into_values()
    }
}

/// Numbers as inclusive ranges, by their first, that neither overlap nor touch.
#[derive(Debug, Default)]
struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    fn holds(&self, number: u64) -> bool {
        let below = self.0.range(..=number).next_back();
        below.is_some_and(|(_, last)| number <= *last)
    }

    /// Adds a number; false where it was there.
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

    use super::Ranges;

    proptest! {
        #[test]
        fn ranges_hold_what_was_inserted_and_nothing_else(
            numbers in prop::collection::vec(prop_oneof![0..40_u64, u64::MAX - 3..=u64::MAX], 0..80),
        ) {
            let (mut ranges, mut known) = (Ranges::default(), BTreeSet::new());
            for number in numbers {
                prop_assert_eq!(ranges.holds(number), known.contains(&number));
                prop_assert_eq!(ranges.insert(number), known.insert(number));
            }
            let listed: Vec<_> = ranges.0.iter().flat_map(|(first, last)| *first..=*last).collect();
            prop_assert_eq!(listed, known.into_iter().collect::<Vec<_>>());
            let pairs: Vec<_> = ranges.0.into_iter().collect();
            prop_assert!(pairs.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0));
        }
    }
}
