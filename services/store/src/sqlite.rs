//! Stores in one process: SQLite through sqlx.
//!
//! A file has one [`Writer`] and a few [`Readers`]. Both are made of plain connections, not of
//! sqlx's pool: a pool's timers would fire in a simulation whose clock runs on while SQLite works.
//!
//! [`Writer`]: writer::Writer
//! [`Readers`]: readers::Readers

mod bars;
mod bulk;
mod column;
mod failure;
mod file;
mod log_id;
mod readers;
mod schema;
mod ticks;
mod writer;

pub use bars::{SqliteBarReader, SqliteBarStore};
pub use ticks::SqliteTickStore;
