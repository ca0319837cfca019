//! The number of trades per second that one core checks, keys, encodes and appends to a log in
//! memory.

use std::hint::black_box;

use candlewick_ingest::IngestProducer;
use clock::{ManualClock, SystemClock};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use eventlog::MemoryLog;
use market::{Decimal, Instrument, Side, Symbol, Trade, TradeId, Venue};
use schemas::TradesBatch;
use store::SqliteBarStore;

const TRADES: usize = 10_000;
const SYMBOLS: usize = 1_000;
const RING_BYTES: usize = 4 * 1024 * 1024;

fn symbols() -> Vec<Symbol> {
    let name = |number| format!("SYM{number}").parse();
    (0..SYMBOLS)
        .map(|number| name(number).expect("a symbol"))
        .collect()
}

/// Returns the trade with a number.
fn trade(index: usize) -> Trade {
    let number = i64::try_from(index).expect("small");
    Trade {
        time_ns: 1_700_000_000_000_000_000 + number * 1_000_000,
        price: Decimal::new(6_543_210 + number % 1_000, 2).expect("a price"),
        quantity: Some(Decimal::new(12_345 + number % 977, 5).expect("a quantity")),
        side: Some(if index.is_multiple_of(2) {
            Side::Buy
        } else {
            Side::Sell
        }),
        id: Some(TradeId::Number(4_000_000_000 + index as u64)),
        scope: None,
        sender: None,
    }
}

fn benches(criterion: &mut Criterion) {
    let venue: Venue = "binance".parse().expect("a venue");
    let symbols = symbols();
    let instruments: Vec<_> = symbols
        .iter()
        .map(|symbol| Instrument::new(&venue, symbol))
        .collect();
    let mixed: Vec<_> = (0..TRADES)
        .map(|index| (instruments[index * 7 % SYMBOLS].clone(), trade(index)))
        .collect();
    let single: Vec<_> = (0..TRADES)
        .map(|index| (instruments[0].clone(), trade(index)))
        .collect();
    let mut batch = TradesBatch::new(&venue, &symbols);
    for index in 0..TRADES {
        let symbol_index = u32::try_from(index * 7 % SYMBOLS).expect("small");
        batch.push(symbol_index, &trade(index));
    }
    let bytes = batch.take_bytes();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let log = MemoryLog::new(
        8,
        1,
        RING_BYTES,
        ManualClock::new(1_700_000_000_000_000_000),
    );
    let folder = tempfile::TempDir::new().expect("a folder");
    let store = SqliteBarStore::open(folder.path().join("bars"));
    let store = runtime.block_on(store).expect("a store");
    let producer = IngestProducer::new(log, store, SystemClock);

    let mut group = criterion.benchmark_group("ingest");
    group.throughput(Throughput::Elements(TRADES as u64));
    for (name, trades) in [
        ("append/1000 symbols", &mixed),
        ("append/1 symbol", &single),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || trades.clone(),
                |trades| runtime.block_on(producer.append(trades)).expect("appends"),
                BatchSize::LargeInput,
            );
        });
    }
    group.bench_function("batch/decode", |bencher| {
        bencher.iter(|| TradesBatch::decode(black_box(&bytes)).expect("decodes"));
    });
    group.finish();
}

criterion_group!(append, benches);
criterion_main!(append);
