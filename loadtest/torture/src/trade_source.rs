//! Generated trades, of a venue for each way of numbering them.

use std::sync::Arc;

use clock::{Clock, SystemClock};
use market::{
    Decimal, IdScheme, IdScope, MILLISECOND_NS, MINUTE_NS, SECOND_NS, Side, Trade, TradeId,
};
use serde_json::{Value, json};

use crate::random::Random;

/// How many times as fast as the clock event time runs: a run of minutes has hours of bars.
const SPEED: i64 = 20;
/// The number of symbols of each venue.
const SYMBOLS: u16 = 4;

/// A venue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TestVenue {
    pub(crate) venue: &'static str,
    pub(crate) scheme: IdScheme,
    pub(crate) scope: IdScope,
}

/// One venue of each kind.
pub(crate) const VENUES: [TestVenue; 5] = [
    TestVenue {
        venue: "serial",
        scheme: IdScheme::Contiguous,
        scope: IdScope::Symbol,
    },
    TestVenue {
        venue: "daily",
        scheme: IdScheme::Contiguous,
        scope: IdScope::Day,
    },
    TestVenue {
        venue: "unique",
        scheme: IdScheme::Unique,
        scope: IdScope::Symbol,
    },
    TestVenue {
        venue: "places",
        scheme: IdScheme::Unique,
        scope: IdScope::Exchange,
    },
    TestVenue {
        venue: "nameless",
        scheme: IdScheme::None,
        scope: IdScope::Symbol,
    },
];

impl TestVenue {
    /// Returns the settings as the JSON of REST.
    pub(crate) fn settings_json(self) -> Value {
        json!({
            "id_scheme": self.scheme.name(), "id_scope": self.scope.name(),
            "lateness_ms": 20_000, "idle_ms": 5_000,
        })
    }
}

/// A trade with its instrument.
#[derive(Debug, Clone)]
pub(crate) struct VenueTrade {
    pub(crate) venue: &'static str,
    pub(crate) symbol: Arc<str>,
    pub(crate) trade: Trade,
    pub(crate) is_late: bool,
}

impl VenueTrade {
    /// Returns the key of the trade's records.
    pub(crate) fn instrument_key(&self) -> String {
        format!("{}:{}", self.venue, self.symbol)
    }

    /// Returns the trade as the JSON of REST.
    pub(crate) fn to_json(&self) -> Value {
        let trade = &self.trade;
        json!({
            "venue": self.venue, "symbol": &*self.symbol, "time": trade.time_ns,
            "price": trade.price.to_string(),
            "quantity": trade.quantity.map(|quantity| quantity.to_string()),
            "side": trade.side.map(Side::name),
            "id": trade.id.as_ref().map(ToString::to_string),
            "scope": trade.scope.as_deref(),
        })
    }
}

#[derive(Debug)]
struct SymbolTradeState {
    test_venue: TestVenue,
    symbol: Arc<str>,
    price: i64,
    next_id: u64,
}

/// Generates trades.
#[derive(Debug)]
pub(crate) struct TradeSource {
    random: Random,
    symbols: Vec<SymbolTradeState>,
    /// The clock and the event time at the start.
    begin_ns: i64,
    event_begin_ns: i64,
}

impl TradeSource {
    /// Returns a source for a run whose faults take about `planned_fault_seconds`, at whose end
    /// event time is about now.
    pub(crate) fn new(mut random: Random, planned_fault_seconds: u64) -> Self {
        let begin_ns = SystemClock.now_ns();
        let planned_ns = i64::try_from(planned_fault_seconds).unwrap_or_default() * SECOND_NS;
        let symbols = VENUES.iter().flat_map(|market| {
            (0..SYMBOLS).map(|number| SymbolTradeState {
                test_venue: *market,
                symbol: format!("S{number}").into(),
                price: 1_000_000,
                next_id: 1,
            })
        });
        let symbols = symbols.collect();
        Self {
            random: random.fork(),
            symbols,
            begin_ns,
            event_begin_ns: begin_ns - SPEED * planned_ns,
        }
    }

    fn current_event_time_ns(&self) -> i64 {
        let now_ns = SystemClock.now_ns();
        let ran_ns = now_ns - self.begin_ns;
        now_ns.min(self.event_begin_ns + SPEED * ran_ns)
    }

    /// Returns the next trade of a random symbol.
    pub(crate) fn next_trade(&mut self) -> VenueTrade {
        let event_now_ns = self.current_event_time_ns();
        let random = &mut self.random;
        let place = random.index(self.symbols.len());
        let symbol_source = &mut self.symbols[place];
        let is_late = random.one_in(50);
        let back_ns = match is_late {
            true => MINUTE_NS + draw_below_as_i64(random, 90) * MINUTE_NS,
            false => draw_below_as_i64(random, 6_000) * MILLISECOND_NS,
        };
        let mut time_ns = event_now_ns - back_ns;
        if !random.one_in(3) {
            // Many trades share a time, as at a venue whose clock counts seconds.
            time_ns -= time_ns.rem_euclid(SECOND_NS);
        }
        symbol_source.price =
            (symbol_source.price + draw_below_as_i64(random, 2_001) - 1_000).max(1_000);
        let price = Decimal::new(symbol_source.price, 4).expect("it has few digits");
        let quantity = (!random.one_in(40)).then(|| {
            Decimal::new(1 + draw_below_as_i64(random, 1_000_000), 5).expect("it has few digits")
        });
        let side = *random.choose(&[Some(Side::Buy), Some(Side::Sell), None]);
        let (id, scope) = symbol_source.draw_id_and_scope(random, &mut time_ns);
        VenueTrade {
            venue: symbol_source.test_venue.venue,
            symbol: Arc::clone(&symbol_source.symbol),
            is_late,
            trade: Trade {
                time_ns,
                price,
                quantity,
                side,
                id,
                scope,
                sender: None,
            },
        }
    }
}

impl SymbolTradeState {
    fn draw_id_and_scope(
        &mut self,
        random: &mut Random,
        time_ns: &mut i64,
    ) -> (Option<TradeId>, Option<Arc<str>>) {
        if random.one_in(100) {
            // A gap that is never filled.
            self.next_id += random.between(1, 5);
        }
        let number = self.next_id;
        self.next_id += 1;
        match (self.test_venue.scheme, self.test_venue.scope) {
            (IdScheme::Contiguous, _) => (Some(TradeId::Number(number)), None),
            (IdScheme::Unique, IdScope::Exchange) => {
                // The same id at two exchanges is two trades.
                let scope = if number.is_multiple_of(2) {
                    "east"
                } else {
                    "west"
                };
                (Some(TradeId::Number(number / 2)), Some(scope.into()))
            }
            (IdScheme::Unique, _) => {
                let id = format!("{:016x}-{number}", random.next_u64());
                (TradeId::parse(&id).ok(), None)
            }
            (IdScheme::None, _) => {
                // The reconciliation tells these trades apart by their times, which are unique.
                let millisecond_ns = *time_ns - time_ns.rem_euclid(MILLISECOND_NS);
                *time_ns = millisecond_ns + i64::try_from(number % 1_000_000).unwrap_or_default();
                (None, None)
            }
        }
    }
}

fn draw_below_as_i64(random: &mut Random, end: u64) -> i64 {
    i64::try_from(random.below(end)).unwrap_or_default()
}
