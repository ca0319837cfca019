//! A made-up feed that exercises the fold, for benches.

use bytes::Bytes;
use eventlog::Record;
use market::{Decimal, IdScheme, IdScope, Position, Side, Trade, TradeId, VenueSettings};
use schemas::TradesRecord;
use store::{IdSetRow, PartitionProgress, PartitionState};

use crate::{Core, Need, Supply};

const START_NS: i64 = 1_700_000_000_000_000_000;
/// Event time between two trades.
const STEP_NS: i64 = 10_000;

/// A core with the symbols of one venue, and rounds of trades for it: symbols at random, times
/// that rise, prices that wander, ids that follow each other.
#[derive(Debug)]
pub struct Exercise {
    core: Core,
    trades: Vec<(u32, Trade)>,
    /// How many trades of a round each symbol has.
    counts: Vec<u64>,
}

impl Exercise {
    /// So many symbols, and so many trades a round.
    ///
    /// # Panics
    /// Where the numbers do not fit.
    #[must_use]
    pub fn new(scheme: IdScheme, symbols: u32, trades: usize) -> Self {
        let mut core = declared(scheme);
        for symbol in 0..symbols {
            let key = Bytes::from(format!("bench:S{symbol}"));
            let place = core.place_of(&key).expect("the venue is declared");
            assert_eq!(place, symbol, "places are given in order");
        }
        let mut counts = vec![0; symbols as usize];
        let mut state = 7_u64;
        let mut random = move |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            i64::try_from((state >> 33) % below).expect("below 2^31")
        };
        let trades = (0..trades).map(|number| {
            let place = u32::try_from(random(symbols.into())).expect("a place");
            counts[place as usize] += 1;
            let number = i64::try_from(number).expect("few trades");
            let trade = Trade {
                time_ns: START_NS + number * STEP_NS,
                price: Decimal::new(10_000 + random(5_000), 2).expect("a price"),
                quantity: Some(Decimal::new(1 + random(900), 0).expect("a quantity")),
                side: Some([Side::Buy, Side::Sell][usize::from(random(2) == 0)]),
                id: Some(TradeId::Number(counts[place as usize])),
                scope: None,
                sender: None,
            };
            (place, trade)
        });
        let trades = trades.collect();
        Self {
            core,
            trades,
            counts,
        }
    }

    /// Folds a round, and answers how many trades count: all.
    pub fn fold(&mut self) -> u64 {
        let mut counted = 0;
        let mut offset = self.core.next_offset();
        for (place, trade) in &self.trades {
            if !self.core.apply_trade(*place, trade, offset, trade.time_ns) {
                supply(&mut self.core);
                counted += u64::from(self.core.apply_trade(*place, trade, offset, trade.time_ns));
                offset += 1;
                continue;
            }
            counted += 1;
            offset += 1;
        }
        counted
    }

    /// Turns to the next round: the same walk, with later times and the ids that follow.
    pub fn move_on(&mut self) {
        let rounds_ns = i64::try_from(self.trades.len()).expect("few trades") * STEP_NS;
        for (place, trade) in &mut self.trades {
            trade.time_ns += rounds_ns;
            let count = self.counts[*place as usize];
            let number = trade.id.as_ref().and_then(TradeId::as_number);
            trade.id = number.map(|number| TradeId::Number(number + count));
        }
    }
}

fn declared(scheme: IdScheme) -> Core {
    let state = PartitionState {
        progress: PartitionProgress {
            partition: 0,
            epoch: 1,
            next_offset: 0,
            updates_position: Position::default(),
            append_time_ns: START_NS,
        },
        symbols: Vec::new(),
        venues: Vec::new(),
        open_bars: Vec::new(),
        dirty_minutes: Vec::new(),
        pending_amendments: Vec::new(),
    };
    let mut core = Core::new(state, 1);
    let settings = VenueSettings {
        scheme,
        scope: IdScope::Symbol,
        ..VenueSettings::default()
    };
    let venue = "bench".parse().expect("a venue");
    let mut value = Vec::new();
    TradesRecord::Setting(venue, settings).encode(&mut value);
    core.apply(&[Record {
        offset: 0,
        append_time_ns: START_NS,
        key: Bytes::new(),
        value: value.into(),
    }]);
    core
}

/// Nothing is stored.
fn supply(core: &mut Core) {
    let answer = |need: &Need| match need.clone() {
        Need::Bar(key) => Supply::Bar(key, None),
        Need::Ids { key, ranged } => Supply::Ids {
            key,
            ranged,
            row: IdSetRow {
                ranges: Vec::new(),
                exact: Vec::new(),
                last_append_ns: 0,
            },
        },
        Need::Ticks { .. } => unreachable!("the exercise amends nothing"),
    };
    let supplies = core.needs().iter().map(answer).collect();
    core.supply(supplies);
}
