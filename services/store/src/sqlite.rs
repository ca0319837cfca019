//! The stores of a single process: SQLite through sqlx.
//!
//! Each file has one [`SqliteWriter`] and one [`ReaderPool`]. Both use plain connections
//! instead of sqlx's pool, whose timers would fire in a simulation whose clock runs on while SQLite
//! works.
//!
//! [`SqliteWriter`]: writer::SqliteWriter
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
