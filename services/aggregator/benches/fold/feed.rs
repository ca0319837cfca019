//! A synthetic feed of encoded records, and a core that folds it as production does. The bench of
//! the whole system measures the same feed.

use std::hint::black_box;

use bytes::Bytes;
use eventlog::Record;
use market::{
    Decimal, IdScheme, IdScope, Position, SettingsChange, Side, Trade, TradeId, VenueSettings,
};
use schemas::TradesTopicRecord;
use store::{PartitionProgress, PartitionState, SegmentIds, StoredIdSegment, StoredIdSet};

use super::{FoldCore, LoadRequest, LoadedData};

const START_NS: i64 = 1_700_000_000_000_000_000;
/// The event time between two trades.
const STEP_NS: i64 = 10_000;

/// A core and rounds of trades for it: random symbols of one venue, rising times, wandering prices,
/// and ids that follow each other within the symbol, or, if the venue's are only unique, over all
/// symbols.
pub(crate) struct FoldWorkload {
    core: FoldCore,
    scheme: IdScheme,
    trades: Vec<SymbolTrade>,
    /// The trades of a round that each symbol has.
    counts: Vec<u64>,
    /// The encoded records of the next round.
    records: Vec<Record>,
}

/// A trade of a round.
struct SymbolTrade {
    symbol: usize,
    key: Bytes,
    trade: Trade,
}

impl FoldWorkload {
    /// Returns a feed of rounds of `trades` trades of `symbols` symbols.
    pub(crate) fn new(scheme: IdScheme, symbols: u32, trades: usize) -> Self {
        let mut random = random_numbers();
        let keys: Vec<_> = (0..symbols)
            .map(|symbol| Bytes::from(format!("bench:S{symbol}")))
            .collect();
        let mut counts = vec![0; keys.len()];
        let trades = (0..trades).map(|number| {
            let symbol = usize::try_from(random(symbols.into())).expect("an index");
            counts[symbol] += 1;
            let id = match scheme {
                IdScheme::Contiguous => counts[symbol],
                _ => number as u64,
            };
            let number = i64::try_from(number).expect("few trades");
            let trade = Trade {
                time_ns: START_NS + number * STEP_NS,
                price: Decimal::new(10_000 + random(5_000), 2).expect("a price"),
                quantity: Some(Decimal::new(1 + random(900), 0).expect("a quantity")),
                side: Some([Side::Buy, Side::Sell][usize::from(random(2) == 0)]),
                id: Some(TradeId::Number(id)),
                scope: None,
                sender: None,
            };
            SymbolTrade {
                symbol,
                key: keys[symbol].clone(),
                trade,
            }
        });
        let trades: Vec<_> = trades.collect();
        let mut feed = Self {
            core: core_with_venue(scheme),
            scheme,
            trades,
            counts,
            records: Vec::new(),
        };
        feed.encode_round();
        feed
    }

    /// Applies a round, and returns how many trades count: all of them.
    pub(crate) fn apply_round(&mut self) -> u64 {
        let mut rest = self.records.as_slice();
        loop {
            rest = &rest[self.core.apply(rest)..];
            if rest.is_empty() {
                return self.core.take_counts().trades;
            }
            answer_loads_as_empty(&mut self.core);
        }
    }

    /// Decodes the records of the round, without their fold. Returns how many are trades: all of
    /// them.
    pub(crate) fn decode_round(&self) -> u64 {
        let decoded = self
            .records
            .iter()
            .map(|record| TradesTopicRecord::decode(black_box(&record.value)));
        let trades =
            decoded.filter(|one| matches!(black_box(one), Ok(TradesTopicRecord::Trade(_))));
        trades.count() as u64
    }

    /// Prepares the next round: the same prices, with later times and the ids that follow.
    pub(crate) fn prepare_next_round(&mut self) {
        let round_trades = self.trades.len() as u64;
        let round_ns = i64::try_from(self.trades.len()).expect("few trades") * STEP_NS;
        for SymbolTrade { symbol, trade, .. } in &mut self.trades {
            trade.time_ns += round_ns;
            let number = trade.id.as_ref().and_then(TradeId::as_number);
            let count = match self.scheme {
                IdScheme::Contiguous => self.counts[*symbol],
                _ => round_trades,
            };
            trade.id = number.map(|number| TradeId::Number(number + count));
        }
        self.encode_round();
    }

    fn encode_round(&mut self) {
        let first = self.core.next_position().offset;
        let records = (first..).zip(&self.trades).map(|(offset, next)| {
            let mut value = Vec::new();
            TradesTopicRecord::encode_trade(&next.trade, &mut value);
            Record {
                offset,
                append_time_ns: next.trade.time_ns,
                key: next.key.clone(),
                value: value.into(),
            }
        });
        self.records = records.collect();
    }
}

/// Returns a generator of numbers from zero up to a limit, the same in every run.
fn random_numbers() -> impl FnMut(u64) -> i64 {
    let mut state = 7_u64;
    move |below| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        i64::try_from((state >> 33) % below).expect("below 2^31")
    }
}

fn core_with_venue(scheme: IdScheme) -> FoldCore {
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
        id_digest_key: [7; 32],
    };
    let mut core = FoldCore::new(state, 1);
    let settings = VenueSettings {
        scheme,
        scope: IdScope::Symbol,
        ..VenueSettings::default()
    };
    let venue = "bench".parse().expect("a venue");
    let mut value = Vec::new();
    TradesTopicRecord::Setting(venue, SettingsChange::of_all(&settings)).encode(&mut value);
    core.apply(&[Record {
        offset: 0,
        append_time_ns: START_NS,
        key: Bytes::new(),
        value: value.into(),
    }]);
    core
}

/// Answers the load requests as a store that holds nothing.
fn answer_loads_as_empty(core: &mut FoldCore) {
    let load = |request: &LoadRequest| match request.clone() {
        LoadRequest::Bar(key) => LoadedData::Bar(key, None),
        LoadRequest::IdSet(request) => LoadedData::IdSet(request, StoredIdSet::default()),
        LoadRequest::IdSegment(request) => {
            let ids = SegmentIds::empty(request.key.start);
            let chunk_count = 0;
            LoadedData::IdSegment(request.key, StoredIdSegment { ids, chunk_count })
        }
    };
    let loaded = core.load_requests().iter().map(load).collect();
    core.accept_loaded(loaded);
}
