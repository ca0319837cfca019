//! What feeds count.

use metrics::{Counter, Unit};

const TRADES: &str = "candlewick_collector_trades_total";
const RETRIES: &str = "candlewick_collector_retries_total";
const SKIPPED: &str = "candlewick_collector_skipped_seconds_total";

/// The counters of a feed.
///
/// Handles bind to the recorder that is installed when they are made: install it first.
#[derive(Clone)]
pub struct Metrics {
    trades: Counter,
    retries: Counter,
    skipped_seconds: Counter,
}

impl Metrics {
    /// Registers the counters with the installed recorder.
    #[must_use]
    pub fn new(feed: &'static str) -> Self {
        Self {
            trades: metrics::counter!(TRADES, "feed" => feed),
            retries: metrics::counter!(RETRIES, "feed" => feed),
            skipped_seconds: metrics::counter!(SKIPPED, "feed" => feed),
        }
    }

    /// Tells the installed recorder what each metric means. Call it once a process.
    pub fn describe() {
        metrics::describe_counter!(TRADES, Unit::Count, "Trades that a feed has sent.");
        metrics::describe_counter!(
            RETRIES,
            Unit::Count,
            "Sends of a feed that failed and were tried again."
        );
        metrics::describe_counter!(
            SKIPPED,
            Unit::Seconds,
            "Time for which a feed made no trades, since it could not send them in time."
        );
    }

    pub(crate) fn sent(&self, count: usize) {
        self.trades.increment(count as u64);
    }

    pub(crate) fn retried(&self) {
        self.retries.increment(1);
    }

    pub(crate) fn skipped(&self, seconds: u64) {
        self.skipped_seconds.increment(seconds);
    }
}
