//! The rule for which ticks are trades.
//!
//! A tick counts if the fold has processed it and has not excluded it. Of several deliveries of one
//! trade the first counts, with the values of its latest edit, unless the trade was cancelled.
//! [`trades_current`] applies the rule to all ticks of a period at once, [`TickClassifier`] and
//! [`AmendmentIndex`] to a history that is read piece by piece.

mod amendment_index;
mod conflict;
mod seen_ids;
mod seen_ids_key;
#[cfg(test)]
mod tests;
mod unmatched;

use std::cmp::Ordering;
use std::collections::HashMap;

use market::{HORIZON_NS, Position, TieKey, TieOrder, VenueSettings};

pub use self::amendment_index::AmendmentIndex;
pub use self::conflict::{DuplicateComparison, DuplicateTick, TradeField, differing_fields};
use self::seen_ids::SeenIds;
use self::seen_ids_key::SeenIdsKey;
pub use self::unmatched::UnmatchedDuplicate;
use crate::state::{ExcludedRange, TickVerdict};
use crate::tick_store::Tick;

/// Whether a tick counts as a trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TickInclusion {
    /// A trade, or an amendment of one.
    Counted,
    /// Not decided yet: the fold has not processed it.
    Undecided,
    /// No trade: the fold has excluded it.
    Excluded(TickVerdict),
    /// No trade: it was delivered before. The fold should have excluded it, but has not.
    MissedDuplicate,
}

/// Classifies the ticks of one instrument, one by one.
///
/// The ticks of one hour (of one day, if ids are unique within the day) must be given in the order
/// of their delivery. Their ids are remembered as long as they may repeat, or until
/// [`TickClassifier::forget_before_and_take_unmatched`]: numbers as ranges, other ids one by one.
#[derive(Debug)]
pub struct TickClassifier {
    settings: VenueSettings,
    next: Position,
    /// The set that was used last, so that the next tick often needs no look-up.
    last_used: Option<(SeenIdsKey, SeenIds)>,
    others: HashMap<SeenIdsKey, SeenIds>,
}

impl TickClassifier {
    /// Returns a classifier that has seen no tick. `next` is the first position that is not folded.
    #[must_use]
    pub fn new(settings: VenueSettings, next: Position) -> Self {
        Self {
            settings,
            next,
            last_used: None,
            others: HashMap::new(),
        }
    }

    /// Returns whether a tick counts. `verdict` is the reason for which the fold has excluded it,
    /// if it has.
    pub fn classify(&mut self, tick: &Tick, verdict: Option<TickVerdict>) -> TickInclusion {
        if tick.position >= self.next {
            return TickInclusion::Undecided;
        }
        match verdict {
            Some(verdict) if tick.amendment.is_some() => TickInclusion::Excluded(verdict),
            None if tick.amendment.is_some() || self.try_record_first_delivery(tick) => {
                TickInclusion::Counted
            }
            None => TickInclusion::MissedDuplicate,
            Some(TickVerdict::Duplicate) => {
                if let Some(identity) = self.settings.trade_identity(&tick.trade) {
                    let seen = self.select_seen_ids(SeenIdsKey::from_identity(&identity));
                    seen.record_duplicate_if_unmatched(identity.id, tick);
                }
                TickInclusion::Excluded(TickVerdict::Duplicate)
            }
            Some(verdict) => TickInclusion::Excluded(verdict),
        }
    }

    /// Forgets the ids of the hours and days that end at or before a time, because none of their
    /// ticks will follow; at [`i64::MAX`] all ids. Returns the excluded duplicates among them whose
    /// first delivery was not seen.
    pub fn forget_before_and_take_unmatched(&mut self, time_ns: i64) -> Vec<UnmatchedDuplicate> {
        let mut unmatched = Vec::new();
        self.stash_last_used();
        self.others.retain(|key, seen| {
            let stays = key.until_ns > time_ns;
            if !stays {
                unmatched.extend(seen.take_unmatched());
            }
            stays
        });
        unmatched.sort_by_key(|trade| trade.position);
        unmatched
    }

    /// Remembers the id of a tick. Returns whether this is the first delivery of the id.
    fn try_record_first_delivery(&mut self, tick: &Tick) -> bool {
        let Some(identity) = self.settings.trade_identity(&tick.trade) else {
            return true;
        };
        let has_bucket = identity.bucket_ns.is_some();
        let seen = self.select_seen_ids(SeenIdsKey::from_identity(&identity));
        if has_bucket {
            seen.forget_if_stale(tick.append_time_ns, HORIZON_NS);
        }
        seen.insert(identity.id, tick.append_time_ns)
    }

    /// Returns the ids that were seen for `key`, and makes them the set that was used last.
    fn select_seen_ids(&mut self, key: SeenIdsKey) -> &mut SeenIds {
        if self
            .last_used
            .as_ref()
            .is_none_or(|(known, _)| *known != key)
        {
            self.stash_last_used();
            let seen = self.others.remove(&key).unwrap_or_default();
            self.last_used = Some((key, seen));
        }
        let (_, seen) = self.last_used.as_mut().expect("it was just set");
        seen
    }

    /// Puts the set that was used last back to the others.
    fn stash_last_used(&mut self) {
        self.others.extend(self.last_used.take());
    }
}

/// Returns the trades among the ticks of one instrument as of the position `next`: the ticks before
/// `next` that the fold has not excluded; of several deliveries of one trade the first, with the
/// values of its latest edit before `next`, unless the trade was cancelled.
///
/// If `ticks` has one tick of an event time, it must have all of them. Ticks may be in any order;
/// `excluded` must be in the order of the store: by epoch, then first offset. The trades are
/// returned in the order of [`market::EdgeTrade::cmp_trade_order`]: by time, then as the settings
/// order ties.
#[must_use]
pub fn trades_current(
    ticks: Vec<Tick>,
    excluded: &[ExcludedRange],
    next: Position,
    settings: &VenueSettings,
) -> Vec<Tick> {
    let (_, trades) = trades_admitted_and_current(ticks, excluded, next, settings);
    trades
}

/// The trades that the fold has counted among some ticks: those that count and those that were
/// cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdmittedTradesSummary {
    /// Their number.
    pub count: u64,
    /// The least append time among them, in UTC nanoseconds; `None` if there are none.
    pub first_append_ns: Option<i64>,
}

/// Does what [`trades_current`] does, and returns before it which trades the fold has counted.
#[must_use]
pub fn trades_admitted_and_current(
    mut ticks: Vec<Tick>,
    excluded: &[ExcludedRange],
    next: Position,
    settings: &VenueSettings,
) -> (AdmittedTradesSummary, Vec<Tick>) {
    let mut current = TickClassifier::new(*settings, next);
    let mut amendments = AmendmentIndex::default();
    ticks.sort_by_key(|tick| tick.position);
    ticks.retain(|tick| {
        let verdict = find_verdict(tick.position, excluded);
        if current.classify(tick, verdict) != TickInclusion::Counted {
            return false;
        }
        amendments.insert(tick, settings);
        tick.amendment.is_none()
    });
    let admitted = AdmittedTradesSummary {
        count: ticks.len() as u64,
        first_append_ns: ticks.iter().map(|tick| tick.append_time_ns).min(),
    };
    ticks.retain_mut(|tick| amendments.apply_unless_cancelled(tick, settings));
    ticks.sort_by(|left, right| cmp_trade_order(left, right, settings.ties));
    (admitted, ticks)
}

/// Returns why the fold has excluded the tick at a position, or `None` if it has not. `excluded`
/// must be in the order of the store: by epoch, then first offset.
#[must_use]
pub fn find_verdict(position: Position, excluded: &[ExcludedRange]) -> Option<TickVerdict> {
    find_excluding_range(position, excluded).map(|range| range.verdict)
}

/// Returns the range that excludes the tick at a position, or `None` if none does. `excluded` must
/// be in the order of the store: by epoch, then first offset.
pub(crate) fn find_excluding_range(
    position: Position,
    excluded: &[ExcludedRange],
) -> Option<&ExcludedRange> {
    let start = |range: &ExcludedRange| (range.epoch, range.first_offset);
    let later = excluded.partition_point(|range| start(range) <= (position.epoch, position.offset));
    let range = &excluded[later.checked_sub(1)?];
    let contains = range.epoch == position.epoch && position.offset < range.end_offset;
    contains.then_some(range)
}

/// Compares ticks in the order of [`market::EdgeTrade::cmp_trade_order`], without creating edge
/// trades.
fn cmp_trade_order(left: &Tick, right: &Tick, ties: TieOrder) -> Ordering {
    let by_time = left.trade.time_ns.cmp(&right.trade.time_ns);
    by_time.then_with(|| {
        let keys = [left, right].map(|tick| TieKey {
            id: tick.trade.id.as_ref(),
            scope: tick.trade.scope.as_deref(),
            position: tick.position,
        });
        keys[0].cmp(&keys[1], ties)
    })
}
