//! What the producing side counts.

use metrics::{Counter, Unit};

const TRADES: &str = "candlewick_ingest_trades_total";
const AMENDMENTS: &str = "candlewick_ingest_amendments_total";
const REPAIRS: &str = "candlewick_ingest_repairs_total";
const REJECTED: &str = "candlewick_ingest_rejected_total";

/// The counters of the producing side.
///
/// Handles bind to the recorder that is installed when they are made: install it first.
#[derive(Clone)]
pub struct Metrics {
    accepted: Counter,
    rejected: Counter,
    amendments: Counter,
    repairs: Counter,
}

impl Metrics {
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

    /// Tells the installed recorder what each metric means. Call it once a process.
    pub fn describe() {
        metrics::describe_counter!(
            TRADES,
            Unit::Count,
            "Trades that were sent, by whether the log took them."
        );
        metrics::describe_counter!(
            REJECTED,
            Unit::Count,
            "Trades that were refused before the log, by reason."
        );
        metrics::describe_counter!(
            AMENDMENTS,
            Unit::Count,
            "Edits and cancels that the log has taken."
        );
        metrics::describe_counter!(
            REPAIRS,
            Unit::Count,
            "Ranges of minutes to be folded anew that the log has taken."
        );
    }

    /// Counts trades that the log has taken.
    pub fn accepted(&self, count: usize) {
        self.accepted.increment(count as u64);
    }

    /// Counts an edit or a cancel that the log has taken.
    pub(crate) fn amended(&self) {
        self.amendments.increment(1);
    }

    /// Counts repairs that the log has taken.
    pub(crate) fn repaired(&self, count: usize) {
        self.repairs.increment(count as u64);
    }

    /// Counts trades that were refused; `reason` is one of a closed set of codes.
    pub fn rejected(&self, reason: &'static str, count: u64) {
        self.rejected.increment(count);
        metrics::counter!(REJECTED, "reason" => reason).increment(count);
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
