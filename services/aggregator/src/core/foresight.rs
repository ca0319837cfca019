//! What trades will need that come after one that waits.

use eventlog::Record;
use hashbrown::HashSet;
use schemas::TradesRecord;

use super::routes::Route;
use super::symbol::Symbol;
use super::{Core, Need};

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
            if market::validate_trade(&trade, record.append_time_ns).is_err() {
                continue;
            }
            let place = match self.route(&record.key) {
                Route::Symbol(place) => place,
                Route::New(instrument, venue)
                    if self.venues.settings(venue).validate_trade(&trade).is_ok() =>
                {
                    self.add_symbol(Symbol::new(instrument, venue))
                }
                _ => continue,
            };
            let symbol = &self.symbols[place as usize];
            let settings = self.venues.settings(symbol.venue);
            if settings.validate_trade(&trade).is_err() {
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use eventlog::Record;
    use market::{Decimal, IdScheme, MINUTE_NS, Position, Trade, TradeId, VenueSettings};
    use schemas::TradesRecord;
    use store::{IdSetRow, PartitionProgress, PartitionState};

    use crate::{Core, Need, Supply};

    const START_NS: i64 = 1_700_000_000_000_000_000;

    fn record(offset: u64, key: &str, value: Vec<u8>) -> Record {
        Record {
            offset,
            append_time_ns: START_NS + 10 * MINUTE_NS,
            key: Bytes::copy_from_slice(key.as_bytes()),
            value: value.into(),
        }
    }

    fn setting() -> Record {
        let settings = VenueSettings {
            scheme: IdScheme::Contiguous,
            ..VenueSettings::default()
        };
        let mut value = Vec::new();
        TradesRecord::Setting("v".parse().unwrap(), settings).encode(&mut value);
        record(0, "", value)
    }

    fn trade(offset: u64, key: &str, time_ns: i64, price: i64) -> Record {
        let trade = Trade {
            time_ns,
            price: Decimal::new(price, 0).unwrap(),
            quantity: None,
            side: None,
            id: Some(TradeId::Number(offset)),
            scope: None,
            sender: None,
        };
        let mut value = Vec::new();
        TradesRecord::encode_trade(&trade, &mut value);
        record(offset, key, value)
    }

    fn core() -> Core {
        let state = PartitionState {
            progress: PartitionProgress {
                partition: 0,
                epoch: 1,
                next_offset: 0,
                updates_position: Position::default(),
                append_time_ns: 0,
            },
            symbols: Vec::new(),
            venues: Vec::new(),
            open_bars: Vec::new(),
            dirty_minutes: Vec::new(),
            pending_amendments: Vec::new(),
        };
        Core::new(state, 1)
    }

    /// Nothing is stored.
    fn supply(core: &mut Core) {
        let answer = |need: &Need| match need.clone() {
            Need::Bar(key) => Supply::Bar(key, None),
            Need::Ids { key, ranged } => Supply::Ids {
                key,
                ranged,
                row: IdSetRow::default(),
            },
            Need::Ticks { .. } => panic!("nothing is amended"),
        };
        let supplies = core.needs().iter().map(answer).collect();
        core.supply(supplies);
    }

    #[test]
    fn a_batch_asks_once_for_all_that_its_trades_need() {
        let mut records = vec![setting()];
        for offset in 1..=200 {
            let key = format!("v:S{}", offset % 50);
            records.push(trade(offset, &key, START_NS, 1));
        }
        // What is no trade, and what is not allowed, needs nothing.
        records.push(record(201, "v:X", vec![255]));
        records.push(trade(202, "v:Y", START_NS, -1));
        records.push(trade(203, "w:Z", START_NS, 1));
        let mut core = core();
        assert_eq!(core.apply(&records), 1, "the first trade waits");
        assert_eq!(core.needs().len(), 50, "a set of ids a symbol");
        supply(&mut core);
        assert_eq!(core.apply(&records[1..]), records.len() - 1);
        assert_eq!(core.take_counts().trades, 200);
        assert_eq!(core.take_dead_letters().len(), 3);
    }

    #[test]
    fn closed_minutes_are_asked_for_together() {
        let now = [trade(1, "v:A", START_NS + 9 * MINUTE_NS, 1)];
        let mut core = core();
        core.apply(&[setting()]);
        core.apply(&now);
        supply(&mut core);
        assert_eq!(core.apply(&now), 1);
        let late: Vec<_> = (2..6)
            .map(|offset| {
                let minute = i64::try_from(offset).unwrap() * MINUTE_NS;
                trade(offset, "v:A", START_NS + minute, 1)
            })
            .collect();
        assert_eq!(core.apply(&late), 0);
        let minutes = core.needs().iter().filter(|need| match need {
            Need::Bar(key) => key.window.interval == market::Interval::M1,
            _ => panic!("its ids are in memory"),
        });
        assert_eq!(minutes.count(), 4);
        supply(&mut core);
        assert_eq!(core.apply(&late), 4);
    }
}
