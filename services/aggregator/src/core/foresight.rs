//! What trades will need that come after one that waits.

use eventlog::Record;
use hashbrown::HashSet;
use schemas::TradesRecord;

use super::{Core, Need, Route};

/// So many records are looked at.
const MOST_RECORDS: usize = 4_096;
/// No more is asked for once it is so much.
const MOST_NEEDS: usize = 1_024;

impl Core {
    /// Adds to what a record needs what the trades after it will, as far as that can be told
    /// before they are applied. A store answers many questions nearly as fast as one, and after
    /// a start every symbol has one to ask.
    pub(super) fn foresee(&mut self, records: &[Record]) {
        if self.needs_ticks {
            return;
        }
        let mut known: HashSet<Need> = self.needs.iter().cloned().collect();
        for record in records.iter().take(MOST_RECORDS) {
            if self.needs.len() >= MOST_NEEDS {
                return;
            }
            let Ok(TradesRecord::Trade(trade)) = TradesRecord::decode(&record.value) else {
                continue;
            };
            let Route::Symbol(place) = self.route(&record.key) else {
                continue;
            };
            let symbol = &self.symbols[place as usize];
            let settings = self.venues.settings(symbol.venue);
            let is_allowed = market::check(&trade, record.append_time_ns).is_ok()
                && settings.check(&trade).is_ok();
            if !is_allowed {
                continue;
            }
            for need in symbol.needs_of(&trade, settings) {
                if known.insert(need.clone()) {
                    self.needs.push(need);
                }
            }
        }
    }
}
