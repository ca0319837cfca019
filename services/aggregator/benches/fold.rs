//! The fold in memory: trades a second on one core, exact, with the identity of each checked.

use std::hint::black_box;

use bytes::Bytes;
use candlewick_aggregator::{Core, Need, Supply};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use eventlog::Record;
use market::{Decimal, IdScheme, IdScope, Position, Side, Trade, TradeId, VenueSettings};
use schemas::TradesRecord;
use store::{IdRow, PartitionState, Progress};

const SYMBOLS: u64 = 1_000;
const TRADES: u64 = 2_000_000;
const START_NS: i64 = 1_700_000_000_000_000_000;

struct Tape {
    places: Vec<(u32, Trade)>,
}

/// A core that knows a thousand symbols of one venue.
fn core(scheme: IdScheme) -> (Core, Vec<u32>) {
    let state = PartitionState {
        progress: Progress {
            partition: 0,
            epoch: 1,
            next_offset: 0,
            updates: Position::default(),
            append_time_ns: START_NS,
        },
        symbols: Vec::new(),
        venues: Vec::new(),
        open_bars: Vec::new(),
    };
    let mut core = Core::new(state, 1);
    let settings = VenueSettings {
        scheme,
        scope: IdScope::Symbol,
        ..VenueSettings::default()
    };
    let setting = TradesRecord::Setting("bench".parse().expect("a venue"), settings);
    let mut value = Vec::new();
    setting.encode(&mut value);
    core.apply(&[Record {
        offset: 0,
        append_time_ns: START_NS,
        key: Bytes::new(),
        value: value.into(),
    }]);
    let key = |symbol| Bytes::from(format!("bench:S{symbol}"));
    let places = (0..SYMBOLS).map(|symbol| core.place_of(&key(symbol)).expect("declared"));
    let places = places.collect();
    (core, places)
}

/// Trades as a busy feed brings them: symbols at random, times that rise, prices that wander.
fn tape(places: &[u32]) -> Tape {
    let mut state = 7_u64;
    let mut random = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        state >> 33
    };
    let mut ids = vec![0; places.len()];
    let places = (0..TRADES).map(|number| {
        let symbol = usize::try_from(random() % SYMBOLS).expect("small");
        ids[symbol] += 1;
        let price = i64::try_from(10_000 + random() % 5_000).expect("small");
        let quantity = i64::try_from(1 + random() % 900).expect("small");
        let trade = Trade {
            time_ns: START_NS + i64::try_from(number).expect("small") * 50_000,
            price: Decimal::new(price, 2).expect("a price"),
            quantity: Some(Decimal::new(quantity, 0).expect("a quantity")),
            side: Some(if random() % 2 == 0 {
                Side::Buy
            } else {
                Side::Sell
            }),
            id: Some(TradeId::Number(ids[symbol])),
            scope: None,
            sender: None,
        };
        (places[symbol], trade)
    });
    Tape {
        places: places.collect(),
    }
}

fn supply(core: &mut Core) {
    let needs = core.needs().to_vec();
    let answer = |need| match need {
        Need::Bar(key) => Supply::Bar(key, None),
        Need::Ids { key, ranged } => Supply::Ids {
            key,
            ranged,
            row: IdRow {
                ranges: Vec::new(),
                exact: Vec::new(),
                last_append_ns: 0,
            },
        },
    };
    core.supply(needs.into_iter().map(answer).collect());
}

fn fold(core: &mut Core, tape: &Tape) -> u64 {
    let mut offset = core.next_offset();
    for (place, trade) in &tape.places {
        let append_time_ns = trade.time_ns;
        if !core.apply_trade(*place, trade, offset, append_time_ns) {
            supply(core);
            let counted = core.apply_trade(*place, trade, offset, append_time_ns);
            assert!(counted, "every trade of the tape counts");
        }
        offset += 1;
    }
    offset
}

fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fold, 1,000 symbols (budget 40 M trades/s a core)");
    group.throughput(Throughput::Elements(TRADES));
    group.sample_size(10);
    for (name, scheme) in [
        ("contiguous ids", IdScheme::Contiguous),
        ("exact ids", IdScheme::Unique),
    ] {
        let (_, places) = core(scheme);
        let tape = tape(&places);
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(
                || core(scheme).0,
                |core| black_box(fold(core, &tape)),
                criterion::BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(fold_benches, benches);
criterion_main!(fold_benches);
