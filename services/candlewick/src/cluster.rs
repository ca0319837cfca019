//! The roles as processes of their own, over Kafka, TimescaleDB, ClickHouse and Redis.
//!
//! Each process waits until its servers are available, reports in `/readyz` which are not, and
//! then runs the same role as the single process does. [`servers`] connects to the servers and is
//! the one place that names the types of their clients. Aggregators and archivers share the
//! partitions through a consumer group: [`group_member`] turns the events of the group into
//! [`partition_tasks`], one task for each partition.

mod aggregator;
mod api;
mod archiver;
mod availability;
mod group_health;
mod group_member;
mod group_member_metrics;
mod halted_partition;
mod migrate;
mod partition_tasks;
mod redis;
mod role_process;
mod servers;
mod settings;
mod standstill;
mod topic_database;
mod topic_settings;
mod topic_watch;
mod topics;

pub(crate) use self::aggregator::{AggregatorArgs, run as run_aggregator};
pub(crate) use self::api::{ApiArgs, run as run_api};
pub(crate) use self::archiver::{ArchiverArgs, run as run_archiver};
pub(crate) use self::migrate::{MigrateArgs, run as run_migrate};
pub(crate) use self::topic_database::rebind_topic;
