//! The binary as a library, so that tests and benches can run what it runs.
//!
//! [`main`] reads the command line. [`Engine`] runs every role in this process, over a data
//! folder.

mod bench;
mod cluster;
mod command;
mod engine;
mod guarded;
mod repair;
mod standalone;
mod topics;

pub use command::main;
pub use engine::{Engine, EngineOptions};
