//! The metrics of the role.

use metrics::{
    Counter, Gauge, Histogram, counter, describe_counter, describe_gauge, describe_histogram,
    gauge, histogram,
};

use crate::core::FoldCounts;

macro_rules! metrics {
    ($($(#[doc = $help:literal])+ $field:ident: $type:ident($describe:ident, $make:ident, $name:literal),)+) => {
        /// The metrics of one partition's worker.
        pub struct WorkerMetrics {
            partition: String,
            $($(#[doc = $help])+ pub(crate) $field: $type,)+
        }

        impl WorkerMetrics {
            /// Registers the metrics of a partition.
            #[must_use]
            pub fn new(partition: u32) -> Self {
                $($describe!($name, concat!($($help),+).trim());)+
                let partition = partition.to_string();
                Self {
                    $($field: $make!($name, "partition" => partition.clone()),)+
                    partition,
                }
            }
        }
    };
}

metrics! {
    /// Trades that count.
    trades: Counter(describe_counter, counter, "candlewick_aggregator_trades_total"),
    /// Trades whose minute was closed before; they correct its bar.
    late: Counter(describe_counter, counter, "candlewick_aggregator_late_trades_total"),
    /// Trades whose identity was seen before; the first delivery counts.
    duplicates: Counter(describe_counter, counter, "candlewick_aggregator_duplicates_total"),
    /// Edits and cancels that count.
    amendments: Counter(describe_counter, counter, "candlewick_aggregator_amendments_total"),
    /// Minutes refolded from their ticks.
    refolds: Counter(describe_counter, counter, "candlewick_aggregator_refolds_total"),
    /// Refolds that did nothing, because their minute had been marked again or refolded already.
    stale_refolds: Counter(describe_counter, counter, "candlewick_aggregator_stale_refolds_total"),
    /// Copies of settings that were not later than those in force
    stale_settings: Counter(describe_counter, counter, "candlewick_aggregator_stale_settings_total"),
    /// Refolds that were refused because the ticks of their minute were not all there.
    refused_refolds: Counter(describe_counter, counter, "candlewick_aggregator_refused_refolds_total"),
    /// Dirty minutes, which are to be refolded.
    dirty: Gauge(describe_gauge, gauge, "candlewick_aggregator_dirty_minutes"),
    /// Bytes of records that are folded and not committed.
    uncommitted_bytes: Gauge(describe_gauge, gauge, "candlewick_aggregator_uncommitted_bytes"),
    /// Bytes of memory that the ids use which are kept one by one.
    id_memory_bytes: Gauge(describe_gauge, gauge, "candlewick_aggregator_id_memory_bytes"),
    /// Segments of ids that left memory because the ids used more than they may.
    evicted_id_segments: Counter(describe_counter, counter, "candlewick_aggregator_evicted_id_segments_total"),
    /// Segments of ids that were loaded because they were not in memory.
    loaded_id_segments: Counter(describe_counter, counter, "candlewick_aggregator_loaded_id_segments_total"),
    /// Bars announced as forming, closed or corrected.
    announced: Counter(describe_counter, counter, "candlewick_aggregator_announced_bars_total"),
    /// Commits of state and offset that the store accepted.
    commits: Counter(describe_counter, counter, "candlewick_aggregator_commits_total"),
    /// Commits that were lost because another worker had moved the partition.
    lost: Counter(describe_counter, counter, "candlewick_aggregator_commits_lost_total"),
    /// Seconds from the start of a commit until the store has accepted it.
    commit_seconds: Histogram(describe_histogram, histogram, "candlewick_aggregator_commit_seconds"),
    /// Records of the log that are not folded yet.
    lag: Gauge(describe_gauge, gauge, "candlewick_aggregator_lag_records"),
    /// Seconds since the record that was folded last was appended; zero if no record waits.
    lag_seconds: Gauge(describe_gauge, gauge, "candlewick_aggregator_lag_seconds"),
}

impl std::fmt::Debug for WorkerMetrics {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "WorkerMetrics(partition {})", self.partition)
    }
}

impl Drop for WorkerMetrics {
    /// Resets the gauges: otherwise they would keep their last values, although another worker
    /// owns the partition now.
    fn drop(&mut self) {
        for gauge in [
            &self.dirty,
            &self.uncommitted_bytes,
            &self.id_memory_bytes,
            &self.lag,
            &self.lag_seconds,
        ] {
            gauge.set(0.0);
        }
    }
}

impl WorkerMetrics {
    /// Adds what the core has counted.
    pub(crate) fn add_counts(&self, counts: &FoldCounts) {
        self.trades.increment(counts.trades);
        self.late.increment(counts.late);
        self.duplicates.increment(counts.duplicates);
        self.amendments.increment(counts.amendments);
        self.refolds.increment(counts.refolds);
        self.stale_refolds.increment(counts.stale_refolds);
        self.stale_settings.increment(counts.stale_settings);
        self.refused_refolds.increment(counts.refused_refolds);
        self.evicted_id_segments
            .increment(counts.evicted_id_segments);
        for (reason, count) in &counts.rejected {
            counter!(
                "candlewick_aggregator_dead_letters_total",
                "partition" => self.partition.clone(), "reason" => reason.code()
            )
            .increment(*count);
        }
    }
}
