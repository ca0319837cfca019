//! Bars and the state of the fold in TimescaleDB, or in PostgreSQL without it.

mod amendments;
mod bar_columns;
mod bars;
mod column;
mod commit;
mod config;
mod connections;
mod edition;
mod expire;
mod failure;
mod ids;
mod load;
mod numeric;
mod reader;
mod row;
mod schema;
mod store;
mod topics;

pub use config::TimescaleConfig;
pub use edition::TimescaleEdition;
pub use reader::TimescaleBarReader;
pub use schema::TimescaleMigration;
pub use store::TimescaleBarStore;
