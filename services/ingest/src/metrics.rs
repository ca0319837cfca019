//! The metrics of the producer.

use metrics::{Counter, Unit};

const TRADES: &str = "candlewick_ingest_trades_total";
const AMENDMENTS: &str = "candlewick_ingest_amendments_total";
const REPAIRS: &str = "candlewick_ingest_repairs_total";
const REJECTED: &str = "candlewick_ingest_rejected_total";

/// The counters of the producer.
///
/// The counters belong to the recorder that is installed when they are created: install it first.
#[derive(Clone)]
pub struct IngestMetrics {
    accepted: Counter,
    rejected: Counter,
    amendments: Counter,
    repairs: Counter,
}

impl IngestMetrics {
    /// Registers the counters with the installed recorder.
    #[must_use]
    pub fn new() -> Self {
        Self {
            accepted: metrics::counter!(TRADES, "outcome" => "accepted"),
            rejected: metrics::counter!(TRADES, "outcome" => "rejected"),
            amendments: metrics::counter!(AMENDMENTS),
            repairs: metrics::counter!(REPAIRS),
        }
    }

    /// Describes each metric to the installed recorder. Call it once per process.
    pub fn describe() {
        metrics::describe_counter!(
            TRADES,
            Unit::Count,
            "Trades that were sent, by whether they were appended to the log."
        );
        metrics::describe_counter!(
            REJECTED,
            Unit::Count,
            "Trades that were rejected before the log, by reason."
        );
        metrics::describe_counter!(
            AMENDMENTS,
            Unit::Count,
            "Edits and cancels that were appended to the log."
        );
        metrics::describe_counter!(
            REPAIRS,
            Unit::Count,
            "Ranges of minutes marked for refolding that were appended to the log."
        );
    }

    /// Counts trades that were appended.
    pub fn count_accepted(&self, count: usize) {
        self.accepted.increment(count as u64);
    }

    /// Counts an edit or a cancel that was appended.
    pub(crate) fn count_appended_amendment(&self) {
        self.amendments.increment(1);
    }

    /// Counts repairs that were appended.
    pub(crate) fn count_repairs(&self, count: usize) {
        self.repairs.increment(count as u64);
    }

    /// Counts trades that were rejected; `reason` is one of a closed set of codes.
    pub fn count_rejected(&self, reason: &'static str, count: u64) {
        self.rejected.increment(count);
        metrics::counter!(REJECTED, "reason" => reason).increment(count);
    }
}

impl Default for IngestMetrics {
    fn default() -> Self {
        Self::new()
    }
}
