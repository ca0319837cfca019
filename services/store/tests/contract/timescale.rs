//! Tests of what is particular to TimescaleDB. Each test has a database of its own, a copy of a
//! migrated template.

mod chunks;
mod commits_in_flight;
mod database;
mod migration;
mod owners;
mod retention;
mod secure;

pub(crate) use database::{bar_store, bar_store_of_one_chunk};
