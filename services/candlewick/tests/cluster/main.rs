//! Candlewick's roles as separate processes, over real Kafka, TimescaleDB, ClickHouse and Redis.
//!
//! `make stack` starts the servers, and its environment variables are their addresses. Each test
//! has topics and databases of its own.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod acls;
mod bars;
mod cluster;
mod conflicts;
mod cuts;
mod cuttable_proxy;
mod dead_letters;
mod groups;
mod hostile;
mod operators;
mod redis;
mod rights;
mod standstill;
mod starts;

/// Processes and clients, shared with the end-to-end tests.
#[path = "../e2e"]
mod e2e {
    #[expect(
        dead_code,
        unused_imports,
        reason = "not every part is needed here too"
    )]
    pub(crate) mod support;
}

pub(crate) use e2e::support;
