//! The logs from outside: the contract, the file, random histories, and kills.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the functions of the contract are tests, each called by two"
)]

extern crate candlewick_eventlog as eventlog;

mod contract;
mod file;
mod kill;
mod local;
mod model;
mod support;
