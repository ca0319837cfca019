//! `candlewick bench`, which starts the program `candlewick-bench`.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use anyhow::{Context, anyhow};
use clap::Args;

const PROGRAM: &str = "candlewick-bench";

/// Measures this machine against the budgets. `candlewick bench --help` lists the options.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct BenchArgs {
    /// The arguments of candlewick-bench
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "OPTIONS"
    )]
    arguments: Vec<OsString>,
}

/// Replaces this process with `candlewick-bench` from the folder of this executable.
///
/// # Errors
/// If the program cannot be started.
pub(crate) fn replace_process_with_bench(arguments: &BenchArgs) -> anyhow::Result<ExitCode> {
    let own = std::env::current_exe().context("cannot find the folder of this program")?;
    let program = own.with_file_name(PROGRAM);
    let error = Command::new(&program).args(&arguments.arguments).exec();
    let path = program.display();
    Err(match error.kind() {
        ErrorKind::NotFound => {
            anyhow!("{path} is missing: build it with `cargo build --release -p {PROGRAM}`")
        }
        _ => anyhow::Error::new(error).context(format!("cannot run {path}")),
    })
}
