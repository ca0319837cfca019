//! What a trade costs on the wire.

use std::hint::black_box;
use std::sync::Arc;

use candlewick_schemas::TradesTopicRecord;
use criterion::{Criterion, criterion_group, criterion_main};
use market::{Decimal, SenderTradeId, Side, Trade, TradeId};

fn decimal(text: &str) -> Decimal {
    text.parse().expect("a decimal")
}

/// What most venues send: price, quantity, side and a numeric id.
fn typical() -> Trade {
    Trade {
        time_ns: 1_709_294_400_123_456_789,
        price: decimal("67123.45"),
        quantity: Some(decimal("0.00123")),
        side: Some(Side::Sell),
        id: Some(TradeId::Number(3_456_789_012)),
        scope: None,
        sender: None,
    }
}

/// With everything, and an id that is a UUID.
fn full() -> Trade {
    Trade {
        id: TradeId::parse("3f333df6-90a4-4fda-8dd3-9485d27cee36").ok(),
        scope: Some(Arc::from("XNAS")),
        sender: Some(SenderTradeId {
            key: [7; 16],
            index: 1_234_567,
        }),
        ..typical()
    }
}

fn codec(criterion: &mut Criterion) {
    for (name, trade) in [("typical", typical()), ("full", full())] {
        let mut bytes = Vec::new();
        TradesTopicRecord::encode_trade(&trade, &mut bytes);
        let mut out = Vec::with_capacity(bytes.len());
        criterion.bench_function(&format!("trade/encode {name}"), |bencher| {
            bencher.iter(|| {
                out.clear();
                TradesTopicRecord::encode_trade(black_box(&trade), &mut out);
                out.len()
            });
        });
        criterion.bench_function(&format!("trade/decode {name}"), |bencher| {
            bencher.iter(|| TradesTopicRecord::decode(black_box(&bytes)));
        });
    }
}

criterion_group!(benches, codec);
criterion_main!(benches);
