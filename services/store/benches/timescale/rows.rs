//! Realistic bars: prices and quantities of a few digits, and numbers as ids.

use candlewick_store::StoredBar;
use market::{
    Bar, BarRow, DAY_NS, Instrument, Interval, Position, SECOND_NS, Side, TieOrder, Trade, TradeId,
};

pub(crate) const START_NS: i64 = 1_790_000_000 * SECOND_NS / DAY_NS * DAY_NS;

pub(crate) fn instrument(number: usize) -> Instrument {
    format!("binance:SYMBOL{number:05}USDT").parse().unwrap()
}

pub(crate) fn bar(instrument: &Instrument, interval: Interval, start_ns: i64, number: u64) -> Bar {
    let trade = |number: u64| Trade {
        time_ns: start_ns + interval.length_ns() / 3,
        price: format!("{}.{:02}", 60_000 + number % 1_000, number * 7 % 100)
            .parse()
            .unwrap(),
        quantity: Some(
            format!("0.{:05}", 1 + number * 7_919 % 99_999)
                .parse()
                .unwrap(),
        ),
        side: Some(if number.is_multiple_of(3) {
            Side::Buy
        } else {
            Side::Sell
        }),
        id: Some(TradeId::Number(3_000_000_000 + number)),
        scope: None,
        sender: None,
    };
    let seed = number + instrument.key().len() as u64;
    let mut bar = Bar::from_trade(&trade(seed), position(number), start_ns);
    for later in 1..4 {
        let other = Bar::from_trade(&trade(seed + later), position(number), start_ns);
        bar.merge(&other, TieOrder::Id);
    }
    bar
}

pub(crate) const fn position(offset: u64) -> Position {
    Position { epoch: 1, offset }
}

/// Returns bars of different symbols and intervals. Closed bars have other starts for each
/// `commit`.
pub(crate) fn generate_bars(
    count: usize,
    commit: u64,
    number: u64,
    closed: bool,
) -> Vec<StoredBar> {
    let step = i64::try_from(commit).unwrap();
    (0..count)
        .map(|index| {
            let instrument = instrument(index / Interval::ALL.len());
            let interval = Interval::ALL[index % Interval::ALL.len()];
            let mut window = interval.window_containing(START_NS);
            if closed {
                // Steps of whole days would span more time than one commit ever does.
                window.start_ns += step * interval.length_ns().min(Interval::M5.length_ns());
            }
            StoredBar {
                row: BarRow {
                    window,
                    bar: bar(&instrument, interval, window.start_ns, number),
                    closed,
                    revision: 0,
                    provable: true,
                    through: position(number),
                },
                instrument,
            }
        })
        .collect()
}
