//! What edits and cancels make of trades.

use std::collections::HashMap;

use market::{AmendmentKind, Position, Trade, TradeId, VenueSettings};

use super::identity::SetKey;
use crate::Tick;

/// Which trade an amendment names. The event time is part of it: an amendment with another one
/// names no trade.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Target {
    Id(SetKey, TradeId, i64),
    Place(Position, i64),
}

/// What the amendments of one trade come to.
#[derive(Debug, Default)]
struct Verdict {
    cancelled: bool,
    /// The latest edit.
    edit: Option<(Position, Trade)>,
}

/// The edits and cancels among some ticks of one instrument.
///
/// A cancel is final; of several edits the one that the log holds last counts.
#[derive(Debug, Default)]
pub struct Amended {
    by_target: HashMap<Target, Verdict>,
}

impl Amended {
    /// Notes an edit or a cancel that counts. The order does not matter; a trade is ignored.
    pub fn note(&mut self, tick: &Tick, settings: &VenueSettings) {
        let Some(amendment) = &tick.amendment else {
            return;
        };
        let target = match amendment.place {
            Some(place) => Target::Place(place, tick.trade.time_ns),
            None => match of(&tick.trade, settings) {
                Some(target) => target,
                None => return,
            },
        };
        let verdict = self.by_target.entry(target).or_default();
        match amendment.kind {
            AmendmentKind::Cancel => verdict.cancelled = true,
            AmendmentKind::Edit => {
                let is_later = |(known, _): &(Position, _)| *known < tick.position;
                if verdict.edit.as_ref().is_none_or(is_later) {
                    verdict.edit = Some((tick.position, tick.trade.clone()));
                }
            }
        }
    }

    /// Makes of a trade what was noted of it; false where it was cancelled.
    #[must_use]
    pub fn apply(&self, tick: &mut Tick, settings: &VenueSettings) -> bool {
        if self.by_target.is_empty() {
            return true;
        }
        let by_place = Target::Place(tick.position, tick.trade.time_ns);
        let by_id = of(&tick.trade, settings);
        let mut latest: Option<&(Position, Trade)> = None;
        for target in [Some(by_place), by_id].iter().flatten() {
            let Some(verdict) = self.by_target.get(target) else {
                continue;
            };
            if verdict.cancelled {
                return false;
            }
            let edits = latest.into_iter().chain(verdict.edit.as_ref());
            latest = edits.max_by_key(|(position, _)| *position);
        }
        if let Some((_, edit)) = latest {
            tick.trade.price = edit.price;
            tick.trade.quantity = edit.quantity;
            tick.trade.side = edit.side;
        }
        true
    }
}

fn of(trade: &Trade, settings: &VenueSettings) -> Option<Target> {
    let identity = settings.identity(trade)?;
    let id = identity.id.owned();
    Some(Target::Id(SetKey::of(&identity), id, trade.time_ns))
}
