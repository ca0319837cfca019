//! The trades that are sent. Venue and number determine every value of a trade.

use bytes::Bytes;
use eventlog::{EmbeddedLog, Log, NewRecord};
use market::{
    Amendment, AmendmentKind, DAY_NS, Decimal, HOUR_NS, Instrument, SECOND_NS, SenderTradeId, Side,
    Trade, TradeId,
};
use schemas::TradesTopicRecord;

/// The number of partitions of the log.
pub(super) const PARTITIONS: u32 = 2;

/// 2024-03-05T00:00:00Z.
pub(super) const DAY_START_NS: i64 = 1_709_596_800 * SECOND_NS;

/// The number of trades of a symbol in a round, which last 18 hours.
pub(super) const ROUND_TRADES: u64 = 600;
/// The approximate time between two trades; a day holds 800.
const STEP_NS: i64 = 108 * SECOND_NS;

const INSTRUMENTS: [(&str, &str); 6] = [
    ("ranges", "A"),
    ("daily", "A"),
    ("exact", "A"),
    ("exact", "B"),
    ("houses", "A"),
    ("bare", "A"),
];

/// Parses `VENUE:SYMBOL`.
pub(super) fn parse_instrument(text: &str) -> Instrument {
    text.parse().unwrap()
}

/// Returns the trades of every symbol that are sent at one step of a round, repeats included.
pub(super) fn trades_of_step(round: u64, step: u64) -> Vec<(Instrument, Trade)> {
    let number = round * ROUND_TRADES + step;
    let mut trades = Vec::new();
    for (venue, symbol) in INSTRUMENTS {
        let instrument = parse_instrument(&format!("{venue}:{symbol}"));
        trades.push((instrument.clone(), numbered_trade(venue, number)));
        if step % 6 == 5 {
            trades.push((instrument.clone(), numbered_trade(venue, number - 3)));
        }
        if round > 0 && step.is_multiple_of(7) {
            trades.push((instrument, numbered_trade(venue, step)));
        }
    }
    trades
}

/// Appends a trade that the fold rejects, without the producer, which would reject it as well.
pub(super) async fn append_rejected_trade(log: &EmbeddedLog, number: u64) {
    let mut invalid = numbered_trade("exact", number);
    invalid.price = Decimal::new(-1, 0).unwrap();
    let mut value = Vec::new();
    TradesTopicRecord::encode_trade(&invalid, &mut value);
    let key = Bytes::from_static(b"exact:A");
    let partition = schemas::partition_of(&key, PARTITIONS);
    let record = NewRecord {
        key,
        value: value.into(),
    };
    log.append(partition, vec![record]).await.unwrap();
}

/// Appends a cancel of a trade.
pub(super) async fn append_cancel(log: &EmbeddedLog, instrument: &Instrument, trade: &Trade) {
    let amendment = Amendment {
        id: trade.id.clone().unwrap(),
        kind: AmendmentKind::Cancel,
        target_position: None,
    };
    let mut value = Vec::new();
    TradesTopicRecord::Amendment(amendment, trade.clone()).encode(&mut value);
    let key = Bytes::copy_from_slice(instrument.key().as_bytes());
    let partition = schemas::partition_of(&key, PARTITIONS);
    let record = NewRecord {
        key,
        value: value.into(),
    };
    log.append(partition, vec![record]).await.unwrap();
}

/// Returns the trade with this number. Each two have the same time, and every ninth is late.
pub(super) fn numbered_trade(venue: &str, number: u64) -> Trade {
    let signed = i64::try_from(number).unwrap();
    let is_late = number > 60 && number.is_multiple_of(9);
    let late_ns = if is_late { 2 * HOUR_NS } else { 0 };
    let time_ns = DAY_START_NS + signed / 2 * 2 * STEP_NS - late_ns;
    let day = (time_ns - DAY_START_NS) / DAY_NS;
    let number_in_day = u64::try_from(signed - day * (DAY_NS / STEP_NS) + 5).unwrap();
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    let mixed = i64::try_from(mixed).unwrap();
    let (id, scope) = match venue {
        "ranges" => (Some(TradeId::Number(number + 1)), None),
        "daily" => (Some(TradeId::Number(number_in_day)), None),
        "exact" => (Some(TradeId::Text(format!("t-{number}").into())), None),
        "houses" => (
            Some(TradeId::Number(number / 2)),
            Some(["X", "Y"][(number % 2) as usize]),
        ),
        _ => (None, None),
    };
    let is_sent = venue == "bare" && !number.is_multiple_of(4);
    Trade {
        time_ns,
        price: Decimal::new(10_000 + mixed % 700, 2).unwrap(),
        quantity: (!number.is_multiple_of(11)).then(|| Decimal::new(1 + mixed % 90, 3).unwrap()),
        side: [None, Some(Side::Buy), Some(Side::Sell)][(number % 3) as usize],
        id,
        scope: scope.map(Into::into),
        sender: is_sent.then_some(SenderTradeId {
            key: [1; 16],
            index: number,
        }),
    }
}
