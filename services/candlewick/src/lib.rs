//! The binary: every role as a subcommand, and all of them in one process.
