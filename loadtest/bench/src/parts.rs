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
    for (name, scheme) in [
        (
            "fold of encoded records, 1,000 symbols, contiguous ids, one core",
            IdScheme::Contiguous,
        ),
        ("the same with unique numeric ids", IdScheme::Unique),
    ] {
        let (fold, decode) = measure_apply_and_decode_seconds(scheme);
        let count = ROUNDS * TRADES as u64;
        table.add_and_print_figure(name, &format_rate_in_millions(count, fold));
        table.add_and_print_figure("  decoding alone", &format_rate_in_millions(count, decode));
        table.add_and_print_figure(
            "  the fold alone: the difference",
            &format_rate_in_millions(count, fold - decode),
        );
    }
    measure_codec(table);
}

/// Returns the seconds that applying all rounds takes, and those that only decoding their records
/// takes: the least of three runs each, since other processes may take the core. Each round is
/// decoded just before it is applied.
fn measure_apply_and_decode_seconds(scheme: IdScheme) -> (f64, f64) {
    let go = || {
        let mut feed = FoldWorkload::new(scheme, SYMBOLS, TRADES);
        let (mut folded_ns, mut decoded_ns) = (0, 0);
        for _ in 0..ROUNDS {
            let start_ns = SystemClock.monotonic_ns();
            black_box(feed.decode_round());
            let between_ns = SystemClock.monotonic_ns();
            black_box(feed.apply_round());
            decoded_ns += between_ns - start_ns;
            folded_ns += SystemClock.monotonic_ns() - between_ns;
            feed.prepare_next_round();
        }
        (folded_ns, decoded_ns)
    };
    let runs = [go(), go(), go()];
    let least = |of: fn(&(u64, u64)) -> u64| runs.iter().map(of).min().unwrap_or(u64::MAX);
    (
        least(|run| run.0) as f64 / 1e9,
        least(|run| run.1) as f64 / 1e9,
    )
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
