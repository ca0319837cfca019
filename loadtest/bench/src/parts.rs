//! The parts in memory, on one core.

#[path = "../../../services/aggregator/benches/fold/feed.rs"]
mod feed;

use std::hint::black_box;

use aggregator::{FoldCore, LoadRequest, LoadedData};
use clock::{Clock, SystemClock};
use market::{Decimal, IdScheme, Side, Trade, TradeId};
use schemas::TradesTopicRecord;

use feed::FoldWorkload;

use super::table::{FigureTable, format_rate_in_millions};

const SYMBOLS: u32 = 1_000;
const TRADES: usize = 100_000;
const ROUNDS: u64 = 100;

pub(super) fn measure_parts_in_memory(table: &mut FigureTable) {
    let contiguous = fold_rounds_and_measure_seconds(IdScheme::Contiguous);
    let count = ROUNDS * TRADES as u64;
    table.add_and_print_figure(
        "fold of encoded records, 1,000 symbols, contiguous ids, one core",
        &format_rate_in_millions(count, contiguous),
    );
    let exact = fold_rounds_and_measure_seconds(IdScheme::Unique);
    table.add_and_print_figure(
        "the same with exact ids",
        &format_rate_in_millions(count, exact),
    );
    measure_codec(table);
}

/// Returns the seconds that all rounds take: the least of three runs, since other processes may
/// take the core.
fn fold_rounds_and_measure_seconds(scheme: IdScheme) -> f64 {
    let rounds = if scheme == IdScheme::Contiguous {
        ROUNDS
    } else {
        ROUNDS / 10
    };
    let go = || {
        let mut feed = FoldWorkload::new(scheme, SYMBOLS, TRADES);
        let mut spent_ns = 0;
        for _ in 0..rounds {
            let start_ns = SystemClock.monotonic_ns();
            black_box(feed.apply_round());
            spent_ns += SystemClock.monotonic_ns() - start_ns;
            feed.prepare_next_round();
        }
        spent_ns * (ROUNDS / rounds)
    };
    let least = (0..3).map(|_| go()).min().unwrap_or(u64::MAX);
    least as f64 / 1e9
}

fn measure_codec(table: &mut FigureTable) {
    let decimal = |mantissa, scale| Decimal::new(mantissa, scale).expect("a decimal");
    let trade = Trade {
        time_ns: 1_381_219_217_034_000_000,
        price: decimal(16_742, 2),
        quantity: Some(decimal(210, 0)),
        side: Some(Side::Buy),
        id: Some(TradeId::Number(451_545)),
        scope: None,
        sender: None,
    };
    const TIMES: u64 = 2_000_000;
    let mut bytes = Vec::with_capacity(64);
    let start_ns = SystemClock.monotonic_ns();
    for _ in 0..TIMES {
        bytes.clear();
        TradesTopicRecord::encode_trade(black_box(&trade), &mut bytes);
    }
    let encoded_ns = SystemClock.monotonic_ns();
    for _ in 0..TIMES {
        black_box(TradesTopicRecord::decode(black_box(&bytes))).expect("it was encoded");
    }
    let decoded_ns = SystemClock.monotonic_ns();
    let size = bytes.len();
    let each = |from: u64, to: u64| format!("{} ns", (to - from) / TIMES);
    table.add_and_print_figure(
        &format!("encode a trade ({size} bytes)"),
        &each(start_ns, encoded_ns),
    );
    table.add_and_print_figure("decode a trade", &each(encoded_ns, decoded_ns));
}
