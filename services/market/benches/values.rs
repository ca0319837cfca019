//! Measures parsing decimals, adding to sums and merging bars.

use std::hint::black_box;

use candlewick_market::{
    Bar, Decimal, ExactSum, MILLISECOND_NS, Position, Side, TieOrder, Trade, TradeId,
};
use criterion::{Criterion, criterion_group, criterion_main};

fn decimal(text: &str) -> Decimal {
    text.parse().expect("a decimal")
}

fn trades() -> Vec<Trade> {
    let prices = ["67123.45", "67123.4", "67122.99", "67124", "67123.01"].map(decimal);
    let quantities = ["0.00123", "1.5", "0.75000001"].map(decimal);
    let numbers = (0_i64..1_000).zip(0_u64..);
    let places = prices
        .into_iter()
        .cycle()
        .zip(quantities.into_iter().cycle());
    let trade = |((step, number), (price, quantity))| Trade {
        time_ns: step * MILLISECOND_NS,
        price,
        quantity: Some(quantity),
        side: Some(if step % 2 == 0 { Side::Buy } else { Side::Sell }),
        id: Some(TradeId::Number(number)),
        scope: None,
        sender: None,
    };
    numbers.zip(places).map(trade).collect()
}

fn parse(criterion: &mut Criterion) {
    for text in ["67123.45", "0.00000123", "-999999999999999999", "1.5e-7"] {
        criterion.bench_function(&format!("decimal/parse {text}"), |bencher| {
            bencher.iter(|| Decimal::parse(black_box(text.as_bytes())));
        });
    }
}

fn sum(criterion: &mut Criterion) {
    let (price, quantity) = (decimal("67123.45"), decimal("0.00123"));
    let mut sum = ExactSum::default();
    criterion.bench_function("sum/add", |bencher| {
        bencher.iter(|| sum.add(black_box(quantity)));
    });
    criterion.bench_function("sum/add_product", |bencher| {
        bencher.iter(|| sum.add_product(black_box(price), black_box(quantity)));
    });
}

fn merge(criterion: &mut Criterion) {
    let bars: Vec<Bar> = (0_u64..)
        .zip(trades())
        .map(|(offset, trade)| {
            Bar::from_trade(&trade, Position { epoch: 1, offset }, trade.time_ns)
        })
        .collect();
    let mut group = criterion.benchmark_group("bar");
    group.throughput(criterion::Throughput::Elements(1_000));
    group.bench_function("merge 1,000 bars of one trade", |bencher| {
        bencher.iter(|| {
            let mut whole = bars[0].clone();
            for bar in black_box(&bars) {
                whole.merge(bar, TieOrder::Id);
            }
            whole
        });
    });
    group.finish();
}

criterion_group!(benches, parse, sum, merge);
criterion_main!(benches);
