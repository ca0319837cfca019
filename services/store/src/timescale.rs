//! Bars and the state of the fold in TimescaleDB, or in PostgreSQL without it.

mod amendments;
mod bar_columns;
mod bar_copy;
mod bar_queries;
mod bar_read_session;
mod bar_reads;
mod chunk_span;
mod chunk_tables;
mod closed_bar_retention;
mod column;
mod commit;
mod config;
mod connections;
mod database_error;
mod durability;
mod edition;
mod excluded_ranges;
mod id_set_key;
mod id_sets;
mod load;
mod numeric;
mod reader;
mod retention;
mod row;
mod schema;
mod store;
mod timestamptz;
mod topics;
mod write_bars;

pub use config::TimescaleConfig;
pub use edition::TimescaleEdition;
pub use reader::TimescaleBarReader;
pub use schema::TimescaleMigrationResult;
pub use store::TimescaleBarStore;
