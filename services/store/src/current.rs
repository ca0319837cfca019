//! The one rule that says which ticks are trades.
//!
//! A tick counts where the fold has come past it and has not left it out; of several deliveries
//! of one trade the first counts, and then its latest edit, unless it was cancelled.
//! [`trades_current`] says so of some ticks at once, [`CurrentTrades`] and [`AmendmentIndex`] of a
//! history that is read piece by piece.

mod amended;
mod identity;
mod seen;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::collections::HashMap;

use market::{HORIZON_NS, Position, VenueSettings};

pub use self::amended::AmendmentIndex;
use self::identity::SetKey;
use self::seen::Seen;
use crate::{ExcludedRange, Tick, Verdict};

/// What a tick is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TickStatus {
    /// A trade, or an amendment of one.
    Counted,
    /// Not decided yet: the fold has not come to it.
    Undecided,
    /// No trade: the fold has left it out.
    Excluded(Verdict),
    /// No trade: it was delivered before. The fold should have left it out, and has not.
    MissedDuplicate,
}

/// A tick that the fold has left out as a duplicate, whose first delivery is nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnmatchedDuplicate {
    /// Where the log holds it.
    pub position: Position,
    /// When it happened, in UTC nanoseconds.
    pub time_ns: i64,
}

/// Which ticks of one instrument are trades, asked tick by tick.
///
/// Of the ticks of one hour (of one day, where ids are unique within the day) those given
/// earlier are taken to be delivered earlier. What was seen is kept as long as identities may
/// repeat, or until [`CurrentTrades::forget_before`]: numbers as ranges, other ids one by one.
#[derive(Debug)]
pub struct CurrentTrades {
    settings: VenueSettings,
    next: Position,
    /// The set that was asked for last, apart from the others.
    current: Option<(SetKey, Seen)>,
    others: HashMap<SetKey, Seen>,
}

impl CurrentTrades {
    /// Nothing seen; `next` is the first position that is not folded.
    #[must_use]
    pub fn new(settings: VenueSettings, next: Position) -> Self {
        Self {
            settings,
            next,
            current: None,
            others: HashMap::new(),
        }
    }

    /// Says what a tick is; `verdict` is what the fold has decided of it, where it has left it
    /// out.
    pub fn classify(&mut self, tick: &Tick, verdict: Option<Verdict>) -> TickStatus {
        if tick.position >= self.next {
            return TickStatus::Undecided;
        }
        match verdict {
            Some(verdict) if tick.amendment.is_some() => TickStatus::Excluded(verdict),
            None if tick.amendment.is_some() || self.record_delivery(tick) => TickStatus::Counted,
            None => TickStatus::MissedDuplicate,
            Some(Verdict::Duplicate) => {
                if let Some(identity) = self.settings.trade_identity(&tick.trade) {
                    let seen = self.select_set(SetKey::of(&identity));
                    seen.expect_first(identity.id, tick);
                }
                TickStatus::Excluded(Verdict::Duplicate)
            }
            Some(verdict) => TickStatus::Excluded(verdict),
        }
    }

    /// Forgets the hours and days that end at or before a time, because no tick of them will be
    /// given any more; at [`i64::MAX`] everything. Answers the trades of them that were lost.
    pub fn forget_before(&mut self, time_ns: i64) -> Vec<UnmatchedDuplicate> {
        let mut lost = Vec::new();
        self.stash_current();
        self.others.retain(|key, seen| {
            let stays = key.until_ns > time_ns;
            if !stays {
                lost.extend(seen.take_lost());
            }
            stays
        });
        lost.sort_by_key(|trade| trade.position);
        lost
    }

    /// Notes a delivery; false where there was one before.
    fn record_delivery(&mut self, tick: &Tick) -> bool {
        let Some(identity) = self.settings.trade_identity(&tick.trade) else {
            return true;
        };
        let ends = identity.bucket_ns.is_some();
        let seen = self.select_set(SetKey::of(&identity));
        if ends {
            seen.forget_if_stale(tick.append_time_ns, HORIZON_NS);
        }
        seen.insert(identity.id, tick.append_time_ns)
    }

    fn select_set(&mut self, key: SetKey) -> &mut Seen {
        if self.current.as_ref().is_none_or(|(known, _)| *known != key) {
            self.stash_current();
            let seen = self.others.remove(&key).unwrap_or_default();
            self.current = Some((key, seen));
        }
        let (_, seen) = self.current.as_mut().expect("it was just put there");
        seen
    }

    fn stash_current(&mut self) {
        self.others.extend(self.current.take());
    }
}

/// The trades among some ticks of one instrument as of `next`: of the ticks before that position
/// those that the fold has not left out; of several deliveries of one trade the first, with the
/// values of its latest edit before `next`, unless one cancels it.
///
/// The ticks hold all of each event time that they hold any of. They are in any
/// order, `rejected` in that of the store: by epoch, then first offset. The
/// answer is in the order of [`market::EdgeTrade::cmp_trade_order`]: time, id, scope, position.
#[must_use]
pub fn trades_current(
    mut ticks: Vec<Tick>,
    rejected: &[ExcludedRange],
    next: Position,
    settings: &VenueSettings,
) -> Vec<Tick> {
    let mut current = CurrentTrades::new(*settings, next);
    let mut amended = AmendmentIndex::default();
    ticks.sort_by_key(|tick| tick.position);
    ticks.retain(|tick| {
        let verdict = find_verdict(tick.position, rejected);
        if current.classify(tick, verdict) != TickStatus::Counted {
            return false;
        }
        amended.insert(tick, settings);
        tick.amendment.is_none()
    });
    ticks.retain_mut(|tick| amended.apply(tick, settings));
    ticks.sort_by(order);
    ticks
}

/// What the fold has decided of the tick at a position, where it has left it out. `rejected` is
/// in the order of the store: by epoch, then first offset.
#[must_use]
pub fn find_verdict(position: Position, rejected: &[ExcludedRange]) -> Option<Verdict> {
    let begin = |range: &ExcludedRange| (range.epoch, range.first_offset);
    let later = rejected.partition_point(|range| begin(range) <= (position.epoch, position.offset));
    let range = &rejected[later.checked_sub(1)?];
    let holds = range.epoch == position.epoch && position.offset < range.end_offset;
    holds.then_some(range.verdict)
}

/// The order of [`market::EdgeTrade::cmp_trade_order`], without making edges.
fn order(left: &Tick, right: &Tick) -> Ordering {
    let key = |tick: &Tick| (tick.trade.time_ns, tick.trade.id.is_none());
    key(left)
        .cmp(&key(right))
        .then_with(|| left.trade.id.cmp(&right.trade.id))
        .then_with(|| left.trade.scope.cmp(&right.trade.scope))
        .then_with(|| left.position.cmp(&right.position))
}
