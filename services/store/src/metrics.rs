//! The metrics of the stores.

use std::time::Duration;

use clock::{Clock, SystemClock};
use metrics::{Counter, Histogram, Unit};

use crate::state::PartitionTransaction;

const ROWS: &str = "candlewick_store_rows_total";
const ROWS_HELP: &str = "Rows that were written, by store and table.";

/// Declares [`StoreMetrics`] from its doc comments, which are also the HELP texts.
macro_rules! store_metrics {
    ($($(#[doc = $help:literal])+ $field:ident: $handle:ident, $register:ident, $describe:ident,
       $unit:ident, $name:literal;)+) => {
        /// The metrics of one store, each with the label `store`.
        ///
        /// Handles are bound to the recorder that is installed when they are created: install the
        /// recorder first.
        #[derive(Clone)]
        pub struct StoreMetrics {
            $($(#[doc = $help])+ pub(crate) $field: $handle,)+
            store: &'static str,
        }

        impl StoreMetrics {
            /// Registers the metrics of `store` with the installed recorder.
            #[must_use]
            pub fn register_metrics(store: &'static str) -> Self {
                Self {
                    $($field: metrics::$register!($name, "store" => store),)+
                    store,
                }
            }

            /// Registers the HELP text of each metric with the installed recorder. Call it once
            /// per process.
            pub fn describe_metrics() {
                $(metrics::$describe!($name, Unit::$unit, concat!($($help),+).trim());)+
                metrics::describe_counter!(ROWS, Unit::Count, ROWS_HELP);
            }
        }
    };
}

store_metrics! {
    /// How long a transaction took, from waiting for its turn to its commit.
    commit_seconds: Histogram, histogram, describe_histogram, Seconds,
        "candlewick_store_commit_seconds";
    /// Calls that failed.
    errors: Counter, counter, describe_counter, Count,
        "candlewick_store_errors_total";
    /// Newest prices that were not stored, because the store was slow or away.
    dropped: Counter, counter, describe_counter, Count,
        "candlewick_store_dropped_total";
}

impl StoreMetrics {
    /// Adds `rows` to the metric of the rows written to a table.
    pub(crate) fn count_rows(&self, table: &'static str, count: usize) {
        if count > 0 {
            metrics::counter!(ROWS, "store" => self.store, "table" => table)
                .increment(count as u64);
        }
    }

    /// Counts the rows of a committed transaction, by table.
    pub(crate) fn count_transaction_rows(&self, transaction: &PartitionTransaction) {
        self.count_rows("bars", transaction.bars.len());
        self.count_rows("symbols", transaction.symbols.len());
        self.count_rows("venues", transaction.venues.len());
        self.count_rows("id_sets", transaction.id_sets.len());
        self.count_rows("excluded_ranges", transaction.excluded_ranges.len());
        self.count_rows("excluded_amendments", transaction.excluded_amendments.len());
        self.count_rows("dirty_minutes", transaction.dirty_minutes.len());
        self.count_rows("pending_amendments", transaction.pending_amendments.len());
    }
}

/// Measures [`StoreMetrics::commit_seconds`]. It uses the clock of the machine, also in a
/// simulation, because no decision depends on the measured time.
pub(crate) struct CommitStopwatch {
    started_ns: u64,
}

impl CommitStopwatch {
    /// Starts to measure.
    pub(crate) fn start() -> Self {
        Self {
            started_ns: SystemClock.monotonic_ns(),
        }
    }

    /// Returns the time since [`CommitStopwatch::start`].
    pub(crate) fn elapsed(&self) -> Duration {
        Duration::from_nanos(SystemClock.monotonic_ns() - self.started_ns)
    }
}
