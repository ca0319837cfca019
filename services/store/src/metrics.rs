//! What the stores count.

use metrics::{Counter, Histogram, Unit};

const ROWS: &str = "candlewick_store_rows_total";
const ROWS_HELP: &str = "Rows that were written, by store and table.";

/// Declares [`Metrics`] from its doc comments, which are also the HELP texts.
macro_rules! store_metrics {
    ($($(#[doc = $help:literal])+ $field:ident: $handle:ident, $register:ident, $describe:ident,
       $unit:ident, $name:literal;)+) => {
        /// The metrics of one store, each with the label `store`.
        ///
        /// Handles bind to the recorder that is installed when they are made: install it first.
        #[derive(Clone)]
        pub struct Metrics {
            $($(#[doc = $help])+ pub(crate) $field: $handle,)+
            store: &'static str,
        }

        impl Metrics {
            /// Registers the metrics of `store` with the installed recorder.
            #[must_use]
            pub fn new(store: &'static str) -> Self {
                Self {
                    $($field: metrics::$register!($name, "store" => store),)+
                    store,
                }
            }

            /// Tells the installed recorder what each metric means. Call it once a process.
            pub fn describe() {
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

impl Metrics {
    /// Counts rows of a table.
    pub(crate) fn rows(&self, table: &'static str, count: usize) {
        if count > 0 {
            metrics::counter!(ROWS, "store" => self.store, "table" => table)
                .increment(count as u64);
        }
    }

    /// Starts the clock of [`Metrics::commit_seconds`].
    #[expect(
        clippy::disallowed_methods,
        reason = "a metric measures real time, and nothing is decided by it"
    )]
    pub(crate) fn started() -> std::time::Instant {
        std::time::Instant::now()
    }
}
