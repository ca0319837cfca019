//! The roles as processes of their own, over Kafka, TimescaleDB, ClickHouse and Redis.
//!
//! Each waits for its servers, says in `/readyz` for which, and then does what the same role does
//! in one process. [`connect`] is the one place that names servers' types. Aggregators and
//! archivers share partitions through a consumer group: [`member`] turns its events into tasks,
//! one a partition, which [`assignments`] keeps.

mod aggregator;
mod api;
mod archiver;
mod assignments;
mod connect;
mod hot;
mod member;
mod migrate;
mod overrun;
mod retention;
mod shell;
mod standing;
mod topics;
mod waiting;
mod watch;

pub(crate) use self::aggregator::{AggregatorArgs, run as run_aggregator};
pub(crate) use self::api::{ApiArgs, run as run_api};
pub(crate) use self::archiver::{ArchiverArgs, run as run_archiver};
pub(crate) use self::migrate::{MigrateArgs, run as run_migrate};
