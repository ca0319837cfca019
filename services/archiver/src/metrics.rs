//! The metrics of the role.

use metrics::{Counter, Gauge, counter, describe_counter, describe_gauge, gauge};

/// The metrics of one partition's archiver.
#[derive(Clone)]
pub struct ArchiverMetrics {
    /// Trades archived.
    pub(crate) ticks: Counter,
    /// Blocks written.
    pub(crate) blocks: Counter,
    /// The first offset that is not archived.
    pub(crate) next_offset: Gauge,
}

impl ArchiverMetrics {
    /// Registers the metrics of a partition and returns them.
    #[must_use]
    pub fn new(partition: u32) -> Self {
        describe_counter!("candlewick_archiver_ticks_total", "Trades archived.");
        describe_counter!("candlewick_archiver_blocks_total", "Blocks written.");
        describe_gauge!(
            "candlewick_archiver_next_offset",
            "The first offset that is not archived."
        );
        let partition = partition.to_string();
        Self {
            ticks: counter!("candlewick_archiver_ticks_total", "partition" => partition.clone()),
            blocks: counter!("candlewick_archiver_blocks_total", "partition" => partition.clone()),
            next_offset: gauge!("candlewick_archiver_next_offset", "partition" => partition),
        }
    }
}

impl std::fmt::Debug for ArchiverMetrics {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("ArchiverMetrics")
    }
}
