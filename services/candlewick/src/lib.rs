//! The binary as a library: [`main`] reads the command line and runs the subcommand.

mod bench;
mod cluster;
mod command;
mod engine;
#[cfg(test)]
mod flags;
mod process;
mod repair;
mod roles;
mod standalone;
mod topics;

pub use command::main;
