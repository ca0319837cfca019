//! The command line.

use std::path::PathBuf;

use clap::Parser;

use crate::faults::Kind;

/// Runs the processes of a cluster against real servers, breaks everything at random, and then
/// compares, row by row, what was sent with what is stored and shown.
///
/// It starts servers of its own with `scripts/stack`, and removes them when it ends. Exit status:
/// 0 where nothing was lost, doubled or wrong, 1 otherwise.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Options {
    /// What decides which faults come, and what is traded
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// How many faults
    #[arg(long, value_name = "N", conflicts_with = "seconds")]
    pub(crate) count: Option<u32>,
    /// How long faults go on [default: 120, unless --count is given]
    #[arg(long, value_name = "S")]
    pub(crate) seconds: Option<u64>,
    /// Which faults
    #[arg(long, value_delimiter = ',', default_values_t = Kind::ALL.to_vec(), value_name = "LIST")]
    pub(crate) faults: Vec<Kind>,
    /// How many brokers Kafka has: 1 or 3
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=3))]
    pub(crate) brokers: u32,
    /// How many partitions each topic has
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) partitions: u32,
    /// How many trades a second are sent
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub(crate) rate: u64,
    /// The name of the servers' instance; one that exists is emptied first
    #[arg(long, default_value = "torture")]
    pub(crate) stack: String,
    /// The candlewick binary [default: the one beside this program]
    #[arg(long, value_name = "FILE")]
    pub(crate) binary: Option<PathBuf>,
    /// Tapes to be replayed meanwhile: every file of this folder whose name ends in .zip
    #[arg(long, value_name = "DIR")]
    pub(crate) tapes: Option<PathBuf>,
    /// Where the run is noted down, a Markdown table that gains a row
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// Where logs of processes are kept; removed after a run that found nothing, unless given
    #[arg(long, value_name = "DIR")]
    pub(crate) logs: Option<PathBuf>,
    /// Leave the servers and their data for a look
    #[arg(long)]
    pub(crate) keep: bool,
}

impl Options {
    /// About how long faults go on, in seconds.
    pub(crate) fn planned_seconds(&self) -> u64 {
        match (self.seconds, self.count) {
            (Some(seconds), _) => seconds,
            (None, Some(count)) => u64::from(count) * 4,
            (None, None) => 120,
        }
    }
}
