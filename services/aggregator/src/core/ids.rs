//! Which ids were seen.

use std::collections::BTreeMap;

use foldhash::fast::RandomState;
use hashbrown::HashSet;
use market::{TradeId, TradeIdRef};
use store::{IdSetDiff, IdSetRow};

/// The ids of one set: numbers as ranges, or ids one by one.
#[derive(Debug)]
pub(super) struct IdSet {
    content: Content,
    /// When the log took the set's newest trade.
    pub(super) last_append_ns: i64,
    /// The commit at or after which it was last used.
    pub(super) used: u64,
}

#[derive(Debug)]
enum Content {
    Ranges(RangeSet),
    Exact(ExactSet),
}

impl IdSet {
    pub(super) fn ranges(row: &IdSetRow, generation: u64) -> Self {
        Self {
            content: Content::Ranges(RangeSet::new(row)),
            last_append_ns: row.last_append_ns,
            used: generation,
        }
    }

    pub(super) fn exact(row: IdSetRow, generation: u64) -> Self {
        Self {
            content: Content::Exact(ExactSet {
                seen: row.exact.into_iter().collect(),
                fresh: Vec::new(),
            }),
            last_append_ns: row.last_append_ns,
            used: generation,
        }
    }

    /// Adds an id, and notes when; false where it was seen before.
    #[inline]
    pub(super) fn insert(
        &mut self,
        id: TradeIdRef<'_>,
        append_time_ns: i64,
        generation: u64,
    ) -> bool {
        let new = match (&mut self.content, id) {
            (Content::Ranges(ranges), TradeIdRef::Number(number)) => ranges.insert(number),
            (Content::Exact(exact), id) => exact.insert(id),
            // Settings reject what is no number where numbers are contiguous.
            (Content::Ranges(_), TradeIdRef::Other(_)) => false,
        };
        if new {
            self.last_append_ns = append_time_ns;
            self.used = generation;
        }
        new
    }

    /// Whether an id was seen.
    pub(super) fn holds(&self, id: TradeIdRef<'_>) -> bool {
        match (&self.content, id) {
            (Content::Ranges(ranges), TradeIdRef::Number(number)) => ranges.holds(number),
            (Content::Exact(exact), id) => exact.seen.contains(&id.to_trade_id()),
            (Content::Ranges(_), TradeIdRef::Other(_)) => false,
        }
    }

    /// What was gained since the last call.
    pub(super) fn take_change(&mut self) -> Option<IdSetDiff> {
        match &mut self.content {
            Content::Ranges(ranges) => ranges.take_change(),
            Content::Exact(exact) if exact.fresh.is_empty() => None,
            Content::Exact(exact) => Some(IdSetDiff::Exact {
                added: std::mem::take(&mut exact.fresh),
            }),
        }
    }

    pub(super) fn is_changed(&self) -> bool {
        match &self.content {
            Content::Ranges(ranges) => ranges.is_changed(),
            Content::Exact(exact) => !exact.fresh.is_empty(),
        }
    }

    /// How many ids or ranges the next change holds, about.
    pub(super) fn unwritten(&self) -> usize {
        match &self.content {
            Content::Ranges(ranges) => ranges.changed.len() + usize::from(ranges.current_changed),
            Content::Exact(exact) => exact.fresh.len(),
        }
    }

    /// Forgets all ids, as when their day is beyond the horizon.
    pub(super) fn clear(&mut self) {
        match &mut self.content {
            Content::Ranges(ranges) => ranges.clear(),
            Content::Exact(exact) => exact.seen.clear(),
        }
    }
}

#[derive(Debug)]
struct ExactSet {
    seen: HashSet<TradeId, RandomState>,
    fresh: Vec<TradeId>,
}

impl ExactSet {
    fn insert(&mut self, id: TradeIdRef<'_>) -> bool {
        let id = id.to_trade_id();
        let added = self.seen.insert(id.clone());
        if added {
            self.fresh.push(id);
        }
        added
    }
}

/// Numbers as inclusive ranges that neither overlap nor touch. The range that grew last is held
/// apart from the others, so that the next number in a row costs two comparisons.
#[derive(Debug)]
struct RangeSet {
    others: BTreeMap<u64, u64>,
    /// First, last; none while the set is empty.
    current: Option<(u64, u64)>,
    /// The first number above the current range that belongs to another.
    next_first: Option<u64>,
    current_changed: bool,
    /// Firsts of the ranges that were changed or swallowed, except the current one's.
    changed: Vec<u64>,
}

impl RangeSet {
    fn new(row: &IdSetRow) -> Self {
        let mut others: BTreeMap<u64, u64> = row.ranges.iter().copied().collect();
        let current = others.pop_last();
        Self {
            others,
            current,
            next_first: None,
            current_changed: false,
            changed: Vec::new(),
        }
    }

    #[inline]
    fn insert(&mut self, number: u64) -> bool {
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
        self.insert_elsewhere(number)
    }

    fn holds(&self, number: u64) -> bool {
        let within = |(first, last): (u64, u64)| first <= number && number <= last;
        let below = self.others.range(..=number).next_back();
        self.current.is_some_and(within)
            || below.is_some_and(|(first, last)| within((*first, *last)))
    }

    /// A number that does not simply follow the current range.
    fn insert_elsewhere(&mut self, number: u64) -> bool {
        self.put_back();
        let below = self.others.range(..=number).next_back();
        let below = below.map(|(first, last)| (*first, *last));
        if below.is_some_and(|(_, last)| number <= last) {
            self.choose(below);
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
        self.choose(Some(range));
        self.current_changed = true;
        true
    }

    fn put_back(&mut self) {
        if let Some((first, last)) = self.current.take() {
            self.others.insert(first, last);
            if self.current_changed {
                self.changed.push(first);
            }
        }
        self.current_changed = false;
    }

    fn choose(&mut self, range: Option<(u64, u64)>) {
        self.current = range;
        if let Some((first, last)) = range {
            self.others.remove(&first);
            let above = last.checked_add(1);
            self.next_first = above.and_then(|above| Some(*self.others.range(above..).next()?.0));
        }
    }

    const fn is_changed(&self) -> bool {
        self.current_changed || !self.changed.is_empty()
    }

    fn take_change(&mut self) -> Option<IdSetDiff> {
        if !self.is_changed() {
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
        Some(IdSetDiff::Ranges {
            upserted,
            removed_firsts,
        })
    }

    fn clear(&mut self) {
        self.put_back();
        self.changed.extend(self.others.keys());
        self.others.clear();
        self.next_first = None;
    }
}

#[cfg(test)]
mod tests;
