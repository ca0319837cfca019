//! The binary as a library, so that tests and benches can run what it runs.
//!
//! [`main`] reads the command line. [`Folder`] opens a data folder, and [`Engine`] runs every
//! role over it in this process.

mod bench;
mod cluster;
mod command;
mod dead_letters;
mod engine;
mod folder;
mod guarded;
mod repair;
mod replay;
mod settings;
mod standalone;
mod topics;
mod verify;

pub use command::main;
pub use engine::{Engine, EngineOptions};
pub use folder::{Folder, FolderError, FolderOptions};
