//! The metrics of a durable topic.

use metrics::{Counter, Gauge, Histogram, Unit};

use crate::record::{Offset, PartitionId};

/// Declares [`TopicMetrics`] from its doc comments, which are also the HELP texts.
macro_rules! topic_metrics {
    ($($(#[doc = $help:literal])+ $field:ident: $handle:ident, $register:ident, $describe:ident,
       $unit:ident, $name:literal;)+) => {
        /// The metrics of one durable topic, each with the label `topic`.
        ///
        /// The handles belong to the recorder that is installed when they are created: install it
        /// first.
        #[derive(Clone)]
        pub struct TopicMetrics {
            $($(#[doc = $help])+ $field: $handle,)+
            topic: String,
        }

        impl TopicMetrics {
            /// Registers the metrics of `topic` with the installed recorder.
            #[must_use]
            pub fn register_metrics(topic: &str) -> Self {
                Self {
                    $($field: metrics::$register!($name, "topic" => topic.to_owned()),)+
                    topic: topic.to_owned(),
                }
            }

            /// Registers the HELP texts with the installed recorder. Call it once in each process.
            pub fn describe_metrics() {
                $(metrics::$describe!($name, Unit::$unit, concat!($($help),+).trim());)+
                metrics::describe_gauge!(FIRST_OFFSET, Unit::Count, FIRST_OFFSET_HELP);
            }
        }
    };
}

topic_metrics! {
    /// Records that were appended and are durable.
    appended_records: Counter, counter, describe_counter, Count,
        "candlewick_log_appended_records_total";
    /// Bytes of the keys and values that were appended and are durable.
    appended_bytes: Counter, counter, describe_counter, Bytes,
        "candlewick_log_appended_bytes_total";
    /// How long a group of appends took to write and sync.
    commit_seconds: Histogram, histogram, describe_histogram, Seconds,
        "candlewick_log_commit_seconds";
    /// Bytes that were accepted and are not yet durable.
    pending_bytes: Gauge, gauge, describe_gauge, Bytes,
        "candlewick_log_pending_bytes";
}

const FIRST_OFFSET: &str = "candlewick_log_first_offset";
const FIRST_OFFSET_HELP: &str = "The offset of the oldest record that a partition keeps.";

impl TopicMetrics {
    /// Sets the offset of the oldest record that `partition` keeps.
    pub(crate) fn set_first_offset(&self, partition: PartitionId, first: Offset) {
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        metrics::gauge!(
            FIRST_OFFSET,
            "topic" => self.topic.clone(),
            "partition" => partition.to_string()
        )
        .set(first as f64);
    }

    /// Records how long a group of appends took to write and sync.
    pub(crate) fn record_commit(&self, elapsed_ns: i64) {
        #[expect(clippy::cast_precision_loss, reason = "a histogram is of floats")]
        self.commit_seconds.record(elapsed_ns as f64 / 1e9);
    }

    /// Counts records that became durable, and the bytes of their keys and values.
    pub fn add_appended(&self, records: usize, size_bytes: usize) {
        self.appended_records.increment(records as u64);
        self.appended_bytes.increment(size_bytes as u64);
    }

    /// Sets how many bytes wait to become durable.
    pub fn set_pending_bytes(&self, pending_bytes: usize) {
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        self.pending_bytes.set(pending_bytes as f64);
    }
}
