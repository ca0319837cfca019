//! A set of numbers as ranges.

use std::collections::BTreeMap;

use store::{IdSetWrites, StoredIdSet};

/// A set of numbers as inclusive ranges that neither overlap nor touch. The range that grew last is
/// kept apart from the others, so that inserting the next number in a row costs two comparisons.
#[derive(Debug)]
pub(crate) struct RangeSet {
    /// The other ranges: the last number by the first.
    others: BTreeMap<u64, u64>,
    /// The first and the last number of the range that grew last; `None` while the set is empty.
    current: Option<(u64, u64)>,
    /// The least number above the current range that another range contains.
    next_first: Option<u64>,
    current_changed: bool,
    /// First numbers of the ranges, except the current one, that changed or became part of another.
    changed: Vec<u64>,
}

impl RangeSet {
    pub(crate) fn new(stored: &StoredIdSet) -> Self {
        let mut others: BTreeMap<u64, u64> = stored.ranges.iter().copied().collect();
        let current = others.pop_last();
        Self {
            others,
            current,
            next_first: None,
            current_changed: false,
            changed: Vec::new(),
        }
    }

    /// Inserts a number. Returns `false` if the set contains it already.
    #[inline]
    pub(crate) fn insert(&mut self, number: u64) -> bool {
        if let Some((first, last)) = &mut self.current {
            if *first <= number && number <= *last {
                return false;
            }
            let follows = last.checked_add(1) == Some(number);
            if follows && self.next_first.is_none_or(|next| number < next - 1) {
                *last = number;
                self.current_changed = true;
                return true;
            }
        }
        self.insert_outside_current(number)
    }

    pub(crate) fn contains(&self, number: u64) -> bool {
        let within = |(first, last): (u64, u64)| first <= number && number <= last;
        let below = self.others.range(..=number).next_back();
        self.current.is_some_and(within)
            || below.is_some_and(|(first, last)| within((*first, *last)))
    }

    /// Inserts a number that does not directly follow the current range.
    fn insert_outside_current(&mut self, number: u64) -> bool {
        self.move_current_to_others();
        let below = self.others.range(..=number).next_back();
        let below = below.map(|(first, last)| (*first, *last));
        if below.is_some_and(|(_, last)| number <= last) {
            self.set_current_range(below);
            return false;
        }
        let above = number
            .checked_add(1)
            .and_then(|next| self.others.remove_entry(&next));
        let mut range = (number, number);
        if let Some((first, last)) = above {
            self.changed.push(first);
            range.1 = last;
        }
        if let Some((first, last)) = below
            && last.checked_add(1) == Some(number)
        {
            range.0 = first;
        }
        self.others.insert(range.0, range.1);
        self.set_current_range(Some(range));
        self.current_changed = true;
        true
    }

    /// Moves the current range to the others.
    fn move_current_to_others(&mut self) {
        if let Some((first, last)) = self.current.take() {
            self.others.insert(first, last);
            if self.current_changed {
                self.changed.push(first);
            }
        }
        self.current_changed = false;
    }

    /// Makes a range the current one.
    fn set_current_range(&mut self, range: Option<(u64, u64)>) {
        self.current = range;
        if let Some((first, last)) = range {
            self.others.remove(&first);
            let above = last.checked_add(1);
            self.next_first = above.and_then(|above| Some(*self.others.range(above..).next()?.0));
        }
    }

    /// Returns whether the set has changed since the last [`RangeSet::take_change`].
    pub(crate) const fn has_untaken_changes(&self) -> bool {
        self.current_changed || !self.changed.is_empty()
    }

    /// Returns about how many ranges the next change contains.
    pub(crate) const fn changed_range_count(&self) -> usize {
        self.changed.len() + self.current_changed as usize
    }

    /// Takes the changes since the last call.
    pub(crate) fn take_change(&mut self) -> Option<IdSetWrites> {
        if !self.has_untaken_changes() {
            return None;
        }
        let mut firsts = std::mem::take(&mut self.changed);
        if let Some((first, _)) = self.current
            && self.current_changed
        {
            firsts.push(first);
        }
        self.current_changed = false;
        firsts.sort_unstable();
        firsts.dedup();
        let (mut upserted, mut removed_firsts) = (Vec::new(), Vec::new());
        for first in firsts {
            match self.current {
                Some((current, last)) if current == first => upserted.push((first, last)),
                _ => match self.others.get(&first) {
                    Some(last) => upserted.push((first, *last)),
                    None => removed_firsts.push(first),
                },
            }
        }
        Some(IdSetWrites::Ranges {
            upserted,
            removed_firsts,
        })
    }

    /// Removes all numbers.
    pub(crate) fn clear(&mut self) {
        self.move_current_to_others();
        self.changed.extend(self.others.keys());
        self.others.clear();
        self.next_first = None;
    }
}
