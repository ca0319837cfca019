//! The one rule that says which ticks are trades.

use std::cmp::Ordering;

use hashbrown::HashSet;
use market::{DAY_NS, HOUR_NS, IdScheme, IdScope, Position, Sender, TradeId, VenueSettings};
use store::{RejectedRange, Tick};

/// What a trade is known by, as its venue's settings say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Identity<'a> {
    /// The venue's id, within a scope and the event-time hour or day in which it is kept.
    Numbered {
        scope: Option<&'a str>,
        bucket_ns: i64,
        id: &'a TradeId,
    },
    /// The sender's key, within the event-time hour in which it is kept.
    Sent { sender: Sender, hour_ns: i64 },
    /// Its place in the log alone.
    Placed(Position),
}

impl<'a> Identity<'a> {
    fn of(tick: &'a Tick, settings: &VenueSettings) -> Self {
        let trade = &tick.trade;
        let hour_ns = trade.time_ns - trade.time_ns.rem_euclid(HOUR_NS);
        if let Some(id) = &trade.id {
            let is_scoped = matches!(settings.scope, IdScope::Exchange | IdScope::File);
            let bucket_ns = match (settings.scheme, settings.scope) {
                (IdScheme::Contiguous, IdScope::Day) => {
                    trade.time_ns - trade.time_ns.rem_euclid(DAY_NS)
                }
                (IdScheme::Contiguous, _) => -1,
                _ => hour_ns,
            };
            return Self::Numbered {
                scope: trade.scope.as_deref().filter(|_| is_scoped),
                bucket_ns,
                id,
            };
        }
        match trade.sender {
            Some(sender) => Self::Sent { sender, hour_ns },
            None => Self::Placed(tick.position),
        }
    }
}

/// The trades among some ticks of one instrument: those before `next`, the first position that
/// is not folded, that the fold has not rejected; of several deliveries of one trade the first.
///
/// `ticks` are in order of their positions, `rejected` of their first offsets within an epoch.
/// The answer is in the order of [`market::Edge::order`]: time, id, scope, position.
#[must_use]
pub fn current_trades<'a>(
    ticks: &'a [Tick],
    rejected: &[RejectedRange],
    next: Position,
    settings: &VenueSettings,
) -> Vec<&'a Tick> {
    let mut seen = HashSet::with_capacity(ticks.len());
    let mut trades: Vec<_> = ticks
        .iter()
        .filter(|tick| tick.position < next && !is_rejected(tick.position, rejected))
        .filter(|tick| seen.insert(Identity::of(tick, settings)))
        .collect();
    trades.sort_by(|left, right| order(left, right));
    trades
}

fn is_rejected(position: Position, rejected: &[RejectedRange]) -> bool {
    let begin = |range: &RejectedRange| Position {
        epoch: range.epoch,
        offset: range.first,
    };
    let later = rejected.partition_point(|range| begin(range) <= position);
    later.checked_sub(1).is_some_and(|place| {
        let range = &rejected[place];
        range.epoch == position.epoch && position.offset < range.end
    })
}

/// The order of [`market::Edge::order`], without making edges.
fn order(left: &Tick, right: &Tick) -> Ordering {
    let key = |tick: &Tick| (tick.trade.time_ns, tick.trade.id.is_none());
    key(left)
        .cmp(&key(right))
        .then_with(|| left.trade.id.cmp(&right.trade.id))
        .then_with(|| left.trade.scope.cmp(&right.trade.scope))
        .then_with(|| left.position.cmp(&right.position))
}

#[cfg(test)]
mod tests;
