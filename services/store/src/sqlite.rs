//! Stores in one process: SQLite through sqlx.
//!
//! A file has one [`Writer`] and a few [`ReaderPool`]. Both are made of plain connections, not of
//! sqlx's pool: a pool's timers would fire in a simulation whose clock runs on while SQLite works.
//!
//! [`Writer`]: writer::Writer
//! [`ReaderPool`]: reader_pool::ReaderPool

mod bars;
mod column;
mod database_error;
mod file;
mod log_id;
mod reader_pool;
mod row_batches;
mod schema;
mod ticks;
mod writer;

pub use bars::{SqliteBarReader, SqliteBarStore};
pub use ticks::SqliteTickStore;
