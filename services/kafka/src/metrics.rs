//! librdkafka's figures as metrics.

use std::collections::HashMap;

use metrics::{Label, Unit};
use rdkafka::statistics::Statistics;

use eventlog::PartitionId;

/// Declares metrics from their doc comments, which are also the HELP texts.
macro_rules! metrics {
    ($($(#[doc = $help:literal])+ $name:ident: $describe:ident, $unit:ident, $text:literal;)+) => {
        $($(#[doc = $help])+ const $name: &str = $text;)+

        /// Tells the installed recorder what each metric means. Call it once a process.
        pub(crate) fn describe() {
            $(metrics::$describe!($name, Unit::$unit, concat!($($help),+).trim());)+
            // What counts something rare is there before it happens.
            metrics::counter!(BOOTSTRAPS).increment(0);
            metrics::counter!(READER_RESTARTS).increment(0);
        }
    };
}

metrics! {
    /// Bytes of a topic that were read ahead and not yet taken.
    FETCH_QUEUE_BYTES: describe_gauge, Bytes, "candlewick_kafka_fetch_queue_bytes";
    /// Records of a topic that were read ahead and not yet taken.
    FETCH_QUEUE_RECORDS: describe_gauge, Count, "candlewick_kafka_fetch_queue_records";
    /// How many records of a partition its reader has not taken yet; 0 where nobody reads it now.
    LAG_RECORDS: describe_gauge, Count, "candlewick_kafka_lag_records";
    /// How long a broker took to answer, on average since the last figure.
    BROKER_ROUND_TRIP: describe_gauge, Seconds, "candlewick_kafka_broker_round_trip_seconds";
    /// Bytes that were appended and are not yet acknowledged.
    PRODUCER_QUEUE_BYTES: describe_gauge, Bytes, "candlewick_kafka_producer_queue_bytes";
    /// Records that were appended and are not yet acknowledged.
    PRODUCER_QUEUE_RECORDS: describe_gauge, Count, "candlewick_kafka_producer_queue_records";
    /// How often a client knew no broker any more and was given those of kafka.brokers again.
    BOOTSTRAPS: describe_counter, Count, "candlewick_kafka_bootstraps_total";
    /// How often a reader stood still before records and was started anew.
    READER_RESTARTS: describe_counter, Count, "candlewick_kafka_reader_restarts_total";
}

/// Counts a client that began anew.
pub(crate) fn bootstrapped_again() {
    metrics::counter!(BOOTSTRAPS).increment(1);
}

/// Counts a reader that stood still.
pub(crate) fn restarted_reader() {
    metrics::counter!(READER_RESTARTS).increment(1);
}

/// Publishes how many records of a partition were not taken.
pub(crate) fn lag(topic: &str, partition: PartitionId, lag: u64) {
    let labels = [("topic", topic), ("partition", &*partition.to_string())];
    set(LAG_RECORDS, &labels, float(lag));
}

/// Publishes the figures of the client that reads `topic`, or of the one that appends.
pub(crate) fn publish(statistics: &Statistics, topic: Option<&str>) {
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
        set(BROKER_ROUND_TRIP, &labels, float(round_trip.avg) / 1e6);
    }
    match topic {
        Some(topic) => publish_reader(statistics, topic),
        None => {
            set(PRODUCER_QUEUE_BYTES, &[], float(statistics.msg_size));
            set(PRODUCER_QUEUE_RECORDS, &[], float(statistics.msg_cnt));
        }
    }
}

fn publish_reader(statistics: &Statistics, topic: &str) {
    let partitions = statistics.topics.get(topic).map(|topic| &topic.partitions);
    let partitions = partitions.into_iter().flat_map(HashMap::values);
    let (mut bytes, mut records) = (0, 0);
    for partition in partitions {
        bytes += partition.fetchq_size;
        records += partition.fetchq_cnt;
    }
    set(FETCH_QUEUE_BYTES, &[("topic", topic)], float(bytes));
    set(FETCH_QUEUE_RECORDS, &[("topic", topic)], float(records));
}

fn set(name: &'static str, labels: &[(&'static str, &str)], value: f64) {
    let label = |(key, value): &(&'static str, &str)| Label::new(*key, (*value).to_owned());
    let labels: Vec<_> = labels.iter().map(label).collect();
    metrics::gauge!(name, labels).set(value);
}

/// A gauge is a float; what it loses beyond 2^53 nobody sees.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
fn float(value: impl TryInto<i64>) -> f64 {
    value.try_into().unwrap_or(i64::MAX) as f64
}
