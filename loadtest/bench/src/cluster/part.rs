//! What there is to measure, and what every part needs.

use clap::ValueEnum;
use tokio::runtime::Runtime;

use super::arguments::Settings;
use super::site::Site;
use crate::table::Table;

/// A part of the measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Part {
    /// Kafka to durable bars, beside a plain loop
    Kafka,
    /// Appending trades
    Producer,
    /// Writing bars and ticks
    Stores,
    /// Catching up after a lag
    Lag,
    /// Restart, and takeover by another
    Restart,
    /// Trade to delta
    Latency,
}

impl Part {
    /// How its figures are taken, in a line.
    pub(super) const fn how(self) -> &'static str {
        match self {
            Self::Kafka => {
                "kafka: plain loop and aggregator in turn over the same topic; trades by the CPU \
                 time of each process from its start; median of the rounds"
            }
            Self::Producer => {
                "producer: trades made, checked, encoded, appended and acknowledged, 4 appends of \
                 10,000 under way; the CPU time is that process's"
            }
            Self::Stores => "stores: one writer, by the clock, first to last acknowledged",
            Self::Lag => {
                "lag: appended while nothing runs; from the start of the processes until all \
                 progress rows, and the archiver's positions, are at the end"
            }
            Self::Restart => {
                "restart: 1,000 trades/s of 1,000 symbols; from SIGKILL until the first, and the \
                 last, progress row of the partitions concerned moves"
            }
            Self::Latency => {
                "latency: from before the POST until a WebSocket client has read the delta or bar \
                 with the trade; 100 symbols, 100 batches a second, the first 3 s left out"
            }
        }
    }
}

/// What every part needs.
pub(super) struct Bench {
    pub(super) settings: Settings,
    pub(super) runtime: Runtime,
    /// Trades a second of the latency measurement.
    pub(super) rate: u64,
    pub(super) table: Table,
}

impl Bench {
    /// Makes a site, measures there, and removes it, whatever became of it.
    pub(super) fn at_site(
        &mut self,
        part: &str,
        measure: impl FnOnce(&mut Self, &mut Site) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut site = Site::new(&self.settings, part);
        let measured = match self.runtime.block_on(site.make()) {
            Ok(()) => measure(self, &mut site),
            Err(error) => Err(error),
        };
        let removed = self.runtime.block_on(site.remove());
        measured.and(removed)
    }
}
