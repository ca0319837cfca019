//! The statistics of librdkafka as metrics.

use std::collections::HashMap;

use eventlog::PartitionId;
use metrics::{Label, Unit};
use rdkafka::statistics::Statistics;

/// Declares metrics from their doc comments, which are also the HELP texts.
macro_rules! metrics {
    ($($(#[doc = $help:literal])+ $name:ident: $describe:ident, $unit:ident, $text:literal;)+) => {
        $($(#[doc = $help])+ const $name: &str = $text;)+

        /// Registers the HELP texts of Kafka's metrics with the installed recorder. Call it once in
        /// each process.
        pub fn describe_metrics() {
            $(metrics::$describe!($name, Unit::$unit, concat!($($help),+).trim());)+
            // These count rare events, so they are exported before the first one.
            metrics::counter!(BOOTSTRAPS).increment(0);
            metrics::counter!(READER_RESTARTS).increment(0);
        }
    };
}

metrics! {
    /// Bytes of a topic that librdkafka has read ahead and that were not fetched yet.
    FETCH_QUEUE_BYTES: describe_gauge, Bytes, "candlewick_kafka_fetch_queue_bytes";
    /// Records of a topic that librdkafka has read ahead and that were not fetched yet.
    FETCH_QUEUE_RECORDS: describe_gauge, Count, "candlewick_kafka_fetch_queue_records";
    /// How many records of a partition its reader has not fetched yet; 0 if it has no reader now.
    LAG_RECORDS: describe_gauge, Count, "candlewick_kafka_lag_records";
    /// The mean time in which a broker answered requests, since the last update.
    BROKER_ROUND_TRIP: describe_gauge, Seconds, "candlewick_kafka_broker_round_trip_seconds";
    /// Bytes that were appended and are not yet acknowledged.
    PRODUCER_QUEUE_BYTES: describe_gauge, Bytes, "candlewick_kafka_producer_queue_bytes";
    /// Records that were appended and are not yet acknowledged.
    PRODUCER_QUEUE_RECORDS: describe_gauge, Count, "candlewick_kafka_producer_queue_records";
    /// How often a client knew no broker any more and was given those of kafka.brokers again.
    BOOTSTRAPS: describe_counter, Count, "candlewick_kafka_bootstraps_total";
    /// How often a reader was restarted because it did not deliver existing records.
    READER_RESTARTS: describe_counter, Count, "candlewick_kafka_reader_restarts_total";
    /// Records of a topic with timestamps of their senders. Each got the append time of the record
    /// before it, because the topic lacks message.timestamp.type=LogAppendTime.
    MISSING_APPEND_TIMES: describe_counter, Count, "candlewick_kafka_missing_append_times_total";
}

/// Counts a client that was given the configured brokers again.
pub(crate) fn count_broker_restoration() {
    metrics::counter!(BOOTSTRAPS).increment(1);
}

/// Counts a reader that was restarted.
pub(crate) fn count_reader_restart() {
    metrics::counter!(READER_RESTARTS).increment(1);
}

/// Counts a record of a topic without an append time.
pub(crate) fn count_missing_append_time(topic: &str) {
    metrics::counter!(MISSING_APPEND_TIMES, "topic" => topic.to_owned()).increment(1);
}

/// Publishes how many records of a partition were not fetched yet.
pub(crate) fn publish_lag(topic: &str, partition: PartitionId, lag_records: u64) {
    let labels = [("topic", topic), ("partition", &*partition.to_string())];
    set_gauge(LAG_RECORDS, &labels, count_to_f64(lag_records));
}

/// Publishes the statistics of the client that reads `topic`, or of the producer if there is no
/// topic.
pub(crate) fn publish_statistics(statistics: &Statistics, topic: Option<&str>) {
    let client = topic.unwrap_or("producer");
    for broker in statistics
        .brokers
        .values()
        .filter(|broker| broker.nodeid >= 0)
    {
        let Some(round_trip) = broker.rtt.as_ref().filter(|times| times.cnt > 0) else {
            continue;
        };
        let labels = [("client", client), ("broker", &broker.nodename)];
        let mean_seconds = count_to_f64(round_trip.avg) / 1e6;
        set_gauge(BROKER_ROUND_TRIP, &labels, mean_seconds);
    }
    match topic {
        Some(topic) => publish_fetch_queue(statistics, topic),
        None => {
            set_gauge(PRODUCER_QUEUE_BYTES, &[], count_to_f64(statistics.msg_size));
            set_gauge(
                PRODUCER_QUEUE_RECORDS,
                &[],
                count_to_f64(statistics.msg_cnt),
            );
        }
    }
}

fn publish_fetch_queue(statistics: &Statistics, topic: &str) {
    let partitions = statistics.topics.get(topic).map(|topic| &topic.partitions);
    let partitions = partitions.into_iter().flat_map(HashMap::values);
    let (mut bytes, mut records) = (0, 0);
    for partition in partitions {
        bytes += partition.fetchq_size;
        records += partition.fetchq_cnt;
    }
    set_gauge(FETCH_QUEUE_BYTES, &[("topic", topic)], count_to_f64(bytes));
    set_gauge(
        FETCH_QUEUE_RECORDS,
        &[("topic", topic)],
        count_to_f64(records),
    );
}

fn set_gauge(name: &'static str, labels: &[(&'static str, &str)], value: f64) {
    let label = |(key, value): &(&'static str, &str)| Label::new(*key, (*value).to_owned());
    let labels: Vec<_> = labels.iter().map(label).collect();
    metrics::gauge!(name, labels).set(value);
}

/// Converts a count for a gauge. It is rounded beyond 2^53.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
fn count_to_f64(value: impl TryInto<i64>) -> f64 {
    value.try_into().unwrap_or(i64::MAX) as f64
}
