//! Applying edits and cancels to trades.

use std::collections::HashMap;

use market::{AmendmentKind, HORIZON_NS, Position, Trade, TradeId, VenueSettings};

use super::seen_ids_key::SeenIdsKey;
use crate::tick_store::Tick;

/// The trade that an amendment names, with its event time: an amendment with another event time
/// names no trade.
#[derive(Debug, PartialEq, Eq, Hash)]
enum AmendmentTarget {
    Id(SeenIdsKey, TradeId, i64),
    Position(Position, i64),
}

/// One amendment of a trade.
#[derive(Debug)]
struct IndexedAmendment {
    position: Position,
    append_time_ns: i64,
    /// The new values of an edit; `None` for a cancel.
    values: Option<Trade>,
}

/// The edits and cancels of one instrument, by the trade that they name.
///
/// A cancel is final; of several edits the last one in the log counts. An amendment that arrived
/// before its trade applies if the trade arrives within the horizon.
#[derive(Debug, Default)]
pub struct AmendmentIndex {
    by_target: HashMap<AmendmentTarget, Vec<IndexedAmendment>>,
}

impl AmendmentIndex {
    /// Adds an edit or a cancel that counts, in any order. Trades are ignored.
    pub fn insert(&mut self, tick: &Tick, settings: &VenueSettings) {
        let Some(amendment) = &tick.amendment else {
            return;
        };
        let target = match amendment.target_position {
            Some(place) => AmendmentTarget::Position(place, tick.trade.time_ns),
            None => match amendment_target_by_id(&tick.trade, settings) {
                Some(target) => target,
                None => return,
            },
        };
        let values = match amendment.kind {
            AmendmentKind::Cancel => None,
            AmendmentKind::Edit => Some(tick.trade.clone()),
        };
        self.by_target
            .entry(target)
            .or_default()
            .push(IndexedAmendment {
                position: tick.position,
                append_time_ns: tick.append_time_ns,
                values,
            });
    }

    /// Applies its amendments to a trade. Returns whether the trade still counts: `false` if
    /// it was cancelled.
    #[must_use]
    pub fn apply_unless_cancelled(&self, tick: &mut Tick, settings: &VenueSettings) -> bool {
        if self.by_target.is_empty() {
            return true;
        }
        let by_position = AmendmentTarget::Position(tick.position, tick.trade.time_ns);
        let by_id = amendment_target_by_id(&tick.trade, settings);
        let mut latest: Option<(Position, &Trade)> = None;
        let targets = [Some(by_position), by_id].into_iter().flatten();
        for amendment in
            targets.flat_map(|target| self.by_target.get(&target).into_iter().flatten())
        {
            let waited_ns = tick.append_time_ns.saturating_sub(amendment.append_time_ns);
            if waited_ns > HORIZON_NS {
                continue;
            }
            let Some(values) = &amendment.values else {
                return false;
            };
            if latest.is_none_or(|(position, _)| position < amendment.position) {
                latest = Some((amendment.position, values));
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

fn amendment_target_by_id(trade: &Trade, settings: &VenueSettings) -> Option<AmendmentTarget> {
    let identity = settings.trade_identity(trade)?;
    let id = identity.id.to_trade_id();
    Some(AmendmentTarget::Id(
        SeenIdsKey::from_identity(&identity),
        id,
        trade.time_ns,
    ))
}
