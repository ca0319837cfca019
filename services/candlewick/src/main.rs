//! The binary: every role as a subcommand, and all of them in one process.

use std::process::ExitCode;

fn main() -> ExitCode {
    candlewick::main()
}
