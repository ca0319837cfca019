//! The command-line options.

use std::path::PathBuf;

use clap::Parser;

use crate::fault_kind::FaultKind;

/// Runs the processes of a cluster against real servers, injects random faults, and then compares,
/// row by row, what was sent with what is stored and shown.
///
/// It starts servers of its own with `scripts/stack`, and removes them when it ends. Exit status:
/// 0 if nothing was lost, doubled or wrong, 1 otherwise.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Options {
    /// The seed that determines the faults and the trades
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// The number of faults
    #[arg(long, value_name = "N", conflicts_with = "seconds")]
    pub(crate) count: Option<u32>,
    /// How long faults are injected, in seconds [default: 120, unless --count is given]
    #[arg(long, value_name = "S")]
    pub(crate) seconds: Option<u64>,
    /// The kinds of faults
    #[arg(long, value_delimiter = ',', default_values_t = FaultKind::ALL.to_vec(), value_name = "LIST")]
    pub(crate) faults: Vec<FaultKind>,
    /// The number of Kafka brokers: 1 or 3
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=3))]
    pub(crate) brokers: u32,
    /// The number of partitions of each topic
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) partitions: u32,
    /// The trades sent per second
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub(crate) rate: u64,
    /// The name of the servers' instance; one that exists is emptied first
    #[arg(long, default_value = "torture")]
    pub(crate) stack: String,
    /// The candlewick binary [default: the one next to this program]
    #[arg(long, value_name = "FILE")]
    pub(crate) binary: Option<PathBuf>,
    /// A folder of tapes to replay during the run: every file whose name ends in .zip
    #[arg(long, value_name = "DIR")]
    pub(crate) tapes: Option<PathBuf>,
    /// A CSV file to which a line about the run is appended
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// The folder of the processes' logs; removed after a run without differences, unless given
    #[arg(long, value_name = "DIR")]
    pub(crate) logs: Option<PathBuf>,
    /// Keep the servers and their data
    #[arg(long)]
    pub(crate) keep: bool,
}

impl Options {
    /// Returns how long faults are injected, approximately, in seconds.
    pub(crate) fn planned_fault_seconds(&self) -> u64 {
        match (self.seconds, self.count) {
            (Some(seconds), _) => seconds,
            (None, Some(count)) => u64::from(count) * 4,
            (None, None) => 120,
        }
    }
}
