//! What every part of the measurement needs.

use tokio::runtime::Runtime;

use super::arguments::ClusterBenchSettings;
use super::sandbox::Sandbox;
use crate::table::FigureTable;

/// The settings, runtime and table of figures that every part of the measurement uses.
pub(super) struct ClusterBench {
    pub(super) settings: ClusterBenchSettings,
    pub(super) runtime: Runtime,
    /// The trades per second of the latency measurement.
    pub(super) latency_rate: u64,
    pub(super) table: FigureTable,
}

impl ClusterBench {
    /// Creates a sandbox, measures in it, and removes it even if the measurement fails.
    pub(super) fn measure_in_sandbox(
        &mut self,
        part: &str,
        measure: impl FnOnce(&mut Self, &mut Sandbox) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut sandbox = Sandbox::new(&self.settings, part);
        let measured = match self.runtime.block_on(sandbox.create()) {
            Ok(()) => measure(self, &mut sandbox),
            Err(error) => Err(error),
        };
        let removed = self.runtime.block_on(sandbox.remove());
        measured.and(removed)
    }
}
