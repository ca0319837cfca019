//! The binary as a library, so that tests and benches can run what it runs.
//!
//! [`main`] reads the command line. [`Folder`] opens a data folder, and [`Engine`] runs every
//! role over it in this process.

mod bench;
mod command;
mod engine;
mod folder;
mod kafka;
mod replay;
mod standalone;
mod topics;
mod verify;

pub use command::main;
pub use engine::{Engine, EngineOptions};
pub use folder::{Folder, FolderError, FolderOptions};
