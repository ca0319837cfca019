//! The logs from outside: the contract, the file, random histories, and kills.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the functions of the contract are tests, each called by two"
)]

mod contract;
mod file;
mod kafka;
mod kill;
mod membership;
mod model;
mod outage;
mod secure;
mod support;
mod topics;
