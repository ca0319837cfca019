//! The role: from the log to the tick store.

mod archiver;
mod calls;
mod pending;
mod policy;
mod read;
mod session;
mod start;
mod write;

pub use archiver::Archiver;
pub use policy::BlockPolicy;
