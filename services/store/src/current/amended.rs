//! What edits and cancels make of trades.

use std::collections::HashMap;

use market::{AmendmentKind, HORIZON_NS, Position, Trade, TradeId, VenueSettings};

use super::identity::SetKey;
use crate::Tick;

/// Which trade an amendment names. The event time is part of it: an amendment with another one
/// names no trade.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Target {
    Id(SetKey, TradeId, i64),
    Place(Position, i64),
}

/// One amendment of a trade.
#[derive(Debug)]
struct Change {
    position: Position,
    append_time_ns: i64,
    /// The values of an edit; none of a cancel.
    values: Option<Trade>,
}

/// The edits and cancels among some ticks of one instrument.
///
/// A cancel is final; of several edits the one that the log holds last counts. One that came
/// before its trade waits for it as long as an hour can change.
#[derive(Debug, Default)]
pub struct AmendmentIndex {
    by_target: HashMap<Target, Vec<Change>>,
}

impl AmendmentIndex {
    /// Notes an edit or a cancel that counts. The order does not matter; a trade is ignored.
    pub fn insert(&mut self, tick: &Tick, settings: &VenueSettings) {
        let Some(amendment) = &tick.amendment else {
            return;
        };
        let target = match amendment.target_position {
            Some(place) => Target::Place(place, tick.trade.time_ns),
            None => match of(&tick.trade, settings) {
                Some(target) => target,
                None => return,
            },
        };
        let values = match amendment.kind {
            AmendmentKind::Cancel => None,
            AmendmentKind::Edit => Some(tick.trade.clone()),
        };
        self.by_target.entry(target).or_default().push(Change {
            position: tick.position,
            append_time_ns: tick.append_time_ns,
            values,
        });
    }

    /// Makes of a trade what was noted of it; false where it was cancelled.
    #[must_use]
    pub fn apply(&self, tick: &mut Tick, settings: &VenueSettings) -> bool {
        if self.by_target.is_empty() {
            return true;
        }
        let by_place = Target::Place(tick.position, tick.trade.time_ns);
        let by_id = of(&tick.trade, settings);
        let mut latest: Option<(Position, &Trade)> = None;
        let targets = [Some(by_place), by_id].into_iter().flatten();
        for change in targets.flat_map(|target| self.by_target.get(&target).into_iter().flatten()) {
            let waited_ns = tick.append_time_ns.saturating_sub(change.append_time_ns);
            if waited_ns > HORIZON_NS {
                continue;
            }
            let Some(values) = &change.values else {
                return false;
            };
            if latest.is_none_or(|(position, _)| position < change.position) {
                latest = Some((change.position, values));
            }
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
    let identity = settings.trade_identity(trade)?;
    let id = identity.id.to_trade_id();
    Some(Target::Id(SetKey::of(&identity), id, trade.time_ns))
}
