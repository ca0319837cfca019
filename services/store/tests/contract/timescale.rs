//! What is particular to a server. Each test has a database of its own, a copy of one that was
//! migrated.

mod database;
mod migration;
mod owners;
mod retention;
mod secure;

pub(crate) use database::bar_store;
