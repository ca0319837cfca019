//! Candlewick as processes of its own, over a real Kafka, TimescaleDB, ClickHouse and Redis.
//!
//! `make stack` starts the servers, and its variables say where they are. Each test has topics and
//! databases of its own there.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod bars;
mod cluster;
mod cuts;
mod groups;
mod letters;
mod link;
mod starts;

/// Processes and clients, as the tests of one process have them.
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
