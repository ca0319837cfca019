//! The logs through their public interface: the contract, the file, random histories, and kills.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the functions that tests share are tests too"
)]

extern crate candlewick_eventlog as eventlog;

mod contract;
mod file;
mod histories;
mod kill;
mod support;
