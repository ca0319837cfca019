//! Which deliveries are the same trade.

use market::{DAY_NS, HOUR_NS, IdScheme, IdScope, Instrument, Trade, VenueSettings};

use super::{HORIZON_NS, Oracle};

impl Oracle {
    pub(super) fn insert_identity_if_new(
        &mut self,
        instrument: &Instrument,
        trade: &Trade,
        identity: Option<&String>,
    ) -> bool {
        let Some(identity) = identity else {
            return true;
        };
        if self.is_stale(instrument, trade) {
            let prefix = format!("day {} ", trade.time_ns / DAY_NS);
            self.known_identities
                .retain(|(of, text)| of != instrument || !text.starts_with(&prefix));
        }
        let new = self
            .known_identities
            .insert((instrument.clone(), identity.clone()));
        if new {
            let day = (instrument.clone(), trade.time_ns / DAY_NS);
            self.day_appends.insert(day, self.append_time_ns);
        }
        new
    }

    pub(super) fn is_known(&self, instrument: &Instrument, trade: &Trade, identity: &str) -> bool {
        let key = (instrument.clone(), identity.to_owned());
        let daily = identity.starts_with("day ");
        self.known_identities.contains(&key) && !(daily && self.is_stale(instrument, trade))
    }

    /// Returns whether the ids of a trade's day are beyond the horizon.
    fn is_stale(&self, instrument: &Instrument, trade: &Trade) -> bool {
        let key = (instrument.clone(), trade.time_ns / DAY_NS);
        let last_ns = self.day_appends.get(&key).copied();
        self.append_time_ns > last_ns.unwrap_or(self.append_time_ns) + HORIZON_NS
    }

    pub(super) fn identity(trade: &Trade, settings: &VenueSettings) -> Option<String> {
        let hour = trade.time_ns / HOUR_NS;
        let scope = trade.scope.as_deref().unwrap_or("-");
        let identity = match (&trade.id, trade.sender) {
            (None, None) => return None,
            (None, Some(sender)) => format!("sender {sender:?} {hour}"),
            (Some(id), _) => match (settings.scheme, settings.scope) {
                (IdScheme::Contiguous, IdScope::Day) => {
                    format!("day {} {id}", trade.time_ns / DAY_NS)
                }
                (IdScheme::Contiguous, IdScope::Symbol) => format!("{id}"),
                (IdScheme::Contiguous, _) => format!("{scope} {id}"),
                (_, IdScope::Symbol | IdScope::Day) => format!("{hour} {id}"),
                _ => format!("{hour} {scope} {id}"),
            },
        };
        Some(identity)
    }
}
