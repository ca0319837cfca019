//! The metrics of feeds.

use metrics::{Counter, Unit};

const TRADES_METRIC: &str = "candlewick_collector_trades_total";
const RETRIES_METRIC: &str = "candlewick_collector_retries_total";
const SKIPPED_METRIC: &str = "candlewick_collector_skipped_seconds_total";

/// The metrics of a feed.
///
/// The counters belong to the recorder that is installed when they are created: install it first.
#[derive(Clone)]
pub struct FeedMetrics {
    trades: Counter,
    retries: Counter,
    skipped_seconds: Counter,
}

impl FeedMetrics {
    /// Registers the counters with the installed recorder.
    #[must_use]
    pub fn new(feed: &'static str) -> Self {
        Self {
            trades: metrics::counter!(TRADES_METRIC, "feed" => feed),
            retries: metrics::counter!(RETRIES_METRIC, "feed" => feed),
            skipped_seconds: metrics::counter!(SKIPPED_METRIC, "feed" => feed),
        }
    }

    /// Describes the metrics to the installed recorder. Call it once in a process.
    pub fn describe() {
        metrics::describe_counter!(TRADES_METRIC, Unit::Count, "Trades that a feed has sent.");
        metrics::describe_counter!(
            RETRIES_METRIC,
            Unit::Count,
            "Sends of a feed that failed and were tried again."
        );
        metrics::describe_counter!(
            SKIPPED_METRIC,
            Unit::Seconds,
            "Time for which a feed made no trades, since it could not send them in time."
        );
    }

    /// Counts trades that were appended.
    pub(crate) fn count_appended_trades(&self, count: usize) {
        self.trades.increment(count as u64);
    }

    /// Counts a repeated append.
    pub(crate) fn count_append_retry(&self) {
        self.retries.increment(1);
    }

    /// Counts the time for which no trades were generated.
    pub(crate) fn count_skipped_seconds(&self, seconds: u64) {
        self.skipped_seconds.increment(seconds);
    }
}
