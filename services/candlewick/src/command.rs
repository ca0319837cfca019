//! The command line.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::bench::BenchArgs;
use crate::cluster::{AggregatorArgs, ApiArgs, ArchiverArgs, MigrateArgs};
use crate::repair::RepairArgs;
use crate::standalone::StandaloneArgs;
use crate::topics::TopicsArgs;
use dead_letters::DeadLettersArgs;
use replay::ReplayArgs;
use verify::VerifyArgs;

/// Candlewick turns the trades of many venues into candles, live and exactly.
#[derive(Debug, Parser)]
#[command(
    name = "candlewick",
    version,
    max_term_width = 100,
    after_help = "Start with `candlewick standalone --feed synthetic`, then open http://127.0.0.1:8080/api/v1/symbols.\nExit status: 0 if everything succeeded, 1 if something failed or differs, 64 for a bad command line or configuration."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run everything in one process, with nothing else installed
    Standalone(StandaloneArgs),
    /// Fold trades into bars, together with others of the same group, over Kafka and TimescaleDB
    Aggregator(AggregatorArgs),
    /// Write every trade to ClickHouse, together with others of the same group
    Archiver(ArchiverArgs),
    /// Serve REST and the live stream, and accept trades
    Api(ApiArgs),
    /// Create the tables of TimescaleDB and ClickHouse, or bring them up to date
    Migrate(MigrateArgs),
    /// Send recorded trades into a running process
    Replay(ReplayArgs),
    /// Check the stored bars: refold the stored trades and compare every value
    Verify(VerifyArgs),
    /// Refold minutes of a symbol from its stored trades
    Repair(RepairArgs),
    /// Show the records that were not counted, and send them again
    DeadLetters(DeadLettersArgs),
    /// Create the topics of a cluster, and compare existing ones with how they should be
    Topics(TopicsArgs),
    /// Measure this machine against the budgets
    Bench(BenchArgs),
}

/// Runs the subcommand of the command line. Returns the exit status.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            let is_usage_error = error.use_stderr();
            return ExitCode::from(if is_usage_error { host::EXIT_USAGE } else { 0 });
        }
    };
    let outcome = match arguments.command {
        Command::Standalone(arguments) => crate::standalone::run(arguments),
        Command::Aggregator(arguments) => crate::cluster::run_aggregator(arguments),
        Command::Archiver(arguments) => crate::cluster::run_archiver(arguments),
        Command::Api(arguments) => crate::cluster::run_api(arguments),
        Command::Migrate(arguments) => crate::cluster::run_migrate(arguments),
        Command::Replay(arguments) => replay::run(arguments),
        Command::Verify(arguments) => verify::run(arguments),
        Command::Repair(arguments) => crate::repair::run(&arguments),
        Command::DeadLetters(arguments) => dead_letters::run(arguments),
        Command::Topics(arguments) => crate::topics::run(arguments),
        Command::Bench(arguments) => crate::bench::replace_process_with_bench(&arguments),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("candlewick: {error:#}");
        let host_error = error.downcast_ref::<host::StartupError>();
        ExitCode::from(host_error.map_or(1, host::StartupError::exit_code))
    })
}
