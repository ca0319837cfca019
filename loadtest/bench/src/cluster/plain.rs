//! The plain loop: the least that reading, decoding and adding up can cost.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Context;
use market::MINUTE_NS;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::topic_partition_list::Offset;
use schemas::TradesTopicRecord;

use super::arguments::ClusterBenchSettings;

/// How long to wait for a response, and for the next record.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A bar in floats.
#[derive(Default)]
struct FloatBar {
    open: f64,
    high: f64,
    low: f64,
    close: f64,
    volume: f64,
    trades: u64,
}

/// The bars of each symbol, by the number of the minute since 1970.
type FloatBarsBySymbolAndMinute = HashMap<Box<[u8]>, HashMap<i64, FloatBar>>;

/// Folds the whole topic of trades into float bars; returns the number of trades.
pub(super) fn fold_topic_and_count_trades(settings: &ClusterBenchSettings) -> anyhow::Result<u64> {
    let topic = settings.topics.full_name(schemas::TRADES);
    // The settings of our own reader, with one queue for all partitions.
    let mut config = settings.kafka.reader_client_config(1)?;
    // librdkafka assigns nothing without the name of a group. It does not join the group.
    config.set("group.id", format!("{topic}.plain"));
    let consumer: BaseConsumer = config.create()?;
    let mut left = assign_partitions_and_read_nonempty_ends(&consumer, &topic)?;
    let mut bars = FloatBarsBySymbolAndMinute::new();
    while !left.is_empty() {
        let polled = consumer.poll(TIMEOUT).context("no record arrived")?;
        let message = match polled {
            Ok(message) => message,
            Err(KafkaError::PartitionEOF(_)) => continue,
            Err(error) => return Err(error.into()),
        };
        fold_trade_record(&message, &mut bars)?;
        let partition = message.partition();
        if left.get(&partition) == Some(&(message.offset() + 1)) {
            left.remove(&partition);
        }
    }
    let is_plausible = |bar: &&FloatBar| {
        bar.low <= bar.open.min(bar.close)
            && bar.high >= bar.open.max(bar.close)
            && bar.volume > 0.0
    };
    let counted = bars.values().flat_map(HashMap::values).filter(is_plausible);
    Ok(counted.map(|bar| bar.trades).sum())
}

/// Assigns every partition from its beginning; returns the end of each that is not empty.
fn assign_partitions_and_read_nonempty_ends(
    consumer: &BaseConsumer,
    topic: &str,
) -> anyhow::Result<HashMap<i32, i64>> {
    let metadata = consumer.fetch_metadata(Some(topic), TIMEOUT)?;
    let described = metadata
        .topics()
        .first()
        .context("the topic does not exist")?;
    let (mut list, mut ends) = (TopicPartitionList::new(), HashMap::new());
    for partition in described.partitions() {
        let (first, end) = consumer.fetch_watermarks(topic, partition.id(), TIMEOUT)?;
        list.add_partition_offset(topic, partition.id(), Offset::Offset(first))?;
        if end > first {
            ends.insert(partition.id(), end);
        }
    }
    consumer.assign(&list)?;
    Ok(ends)
}

fn fold_trade_record(
    message: &impl Message,
    bars: &mut FloatBarsBySymbolAndMinute,
) -> anyhow::Result<()> {
    let (Some(key), Some(value)) = (message.key(), message.payload()) else {
        return Ok(());
    };
    let TradesTopicRecord::Trade(trade) = TradesTopicRecord::decode(value)? else {
        return Ok(());
    };
    let float = |decimal: market::Decimal| {
        decimal.mantissa() as f64 / 10_f64.powi(i32::from(decimal.scale()))
    };
    let price = float(trade.price);
    let minute = trade.time_ns.div_euclid(MINUTE_NS);
    // A record of a known symbol allocates nothing.
    let symbol = match bars.get_mut(key) {
        Some(symbol) => symbol,
        None => bars.entry(key.into()).or_default(),
    };
    let bar = symbol.entry(minute).or_insert(FloatBar {
        open: price,
        high: price,
        low: price,
        ..FloatBar::default()
    });
    bar.high = bar.high.max(price);
    bar.low = bar.low.min(price);
    bar.close = price;
    bar.volume += trade.quantity.map_or(0.0, float);
    bar.trades += 1;
    Ok(())
}
