//! The parts of the measurement.

use clap::ValueEnum;

/// A part of the measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ClusterBenchPart {
    /// Kafka to durable bars, next to a plain loop
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

impl ClusterBenchPart {
    /// Describes in a line how the figures are measured.
    pub(super) const fn description(self) -> &'static str {
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
