//! The plain loop: what reading, decoding and adding up cost at the least.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Context;
use market::MINUTE_NS;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::topic_partition_list::Offset;
use schemas::TradesRecord;

use super::arguments::Settings;

/// How long an answer, and the next record, may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A bar in floats.
#[derive(Default)]
struct Candle {
    open: f64,
    high: f64,
    low: f64,
    close: f64,
    volume: f64,
    trades: u64,
}

/// Those of each symbol, by their minutes.
type Candles = HashMap<Box<[u8]>, HashMap<i64, Candle>>;

/// Reads all that the topic of trades holds, and answers how many trades there were.
pub(super) fn run(settings: &Settings) -> anyhow::Result<u64> {
    let topic = settings.topics.full_name(schemas::TRADES);
    // The tuning of our own reader; one queue takes what all partitions' would.
    let mut config = settings.kafka.reader_client(1)?;
    // librdkafka assigns nothing without the name of a group, which it does not join.
    config.set("group.id", format!("{topic}.plain"));
    let consumer: BaseConsumer = config.create()?;
    let mut left = assign(&consumer, &topic)?;
    let mut candles = Candles::new();
    while !left.is_empty() {
        let polled = consumer.poll(PATIENCE).context("no record arrives")?;
        let message = match polled {
            Ok(message) => message,
            Err(KafkaError::PartitionEOF(_)) => continue,
            Err(error) => return Err(error.into()),
        };
        fold(&message, &mut candles)?;
        let partition = message.partition();
        if left.get(&partition) == Some(&(message.offset() + 1)) {
            left.remove(&partition);
        }
    }
    let sound = |candle: &&Candle| {
        candle.low <= candle.open.min(candle.close)
            && candle.high >= candle.open.max(candle.close)
            && candle.volume > 0.0
    };
    let counted = candles.values().flat_map(HashMap::values).filter(sound);
    Ok(counted.map(|candle| candle.trades).sum())
}

/// Assigns every partition from its beginning. Answers where those end that hold anything.
fn assign(consumer: &BaseConsumer, topic: &str) -> anyhow::Result<HashMap<i32, i64>> {
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE)?;
    let described = metadata.topics().first().context("there is no topic")?;
    let (mut list, mut ends) = (TopicPartitionList::new(), HashMap::new());
    for partition in described.partitions() {
        let (first, end) = consumer.fetch_watermarks(topic, partition.id(), PATIENCE)?;
        list.add_partition_offset(topic, partition.id(), Offset::Offset(first))?;
        if end > first {
            ends.insert(partition.id(), end);
        }
    }
    consumer.assign(&list)?;
    Ok(ends)
}

fn fold(message: &impl Message, candles: &mut Candles) -> anyhow::Result<()> {
    let (Some(key), Some(value)) = (message.key(), message.payload()) else {
        return Ok(());
    };
    let TradesRecord::Trade(trade) = TradesRecord::decode(value)? else {
        return Ok(());
    };
    let float = |decimal: market::Decimal| {
        decimal.mantissa() as f64 / 10_f64.powi(i32::from(decimal.scale()))
    };
    let price = float(trade.price);
    let minute = trade.time_ns.div_euclid(MINUTE_NS);
    // Nothing is allocated for a record of a symbol that is known.
    let symbol = match candles.get_mut(key) {
        Some(symbol) => symbol,
        None => candles.entry(key.into()).or_default(),
    };
    let candle = symbol.entry(minute).or_insert(Candle {
        open: price,
        high: price,
        low: price,
        ..Candle::default()
    });
    candle.high = candle.high.max(price);
    candle.low = candle.low.min(price);
    candle.close = price;
    candle.volume += trade.quantity.map_or(0.0, float);
    candle.trades += 1;
    Ok(())
}
