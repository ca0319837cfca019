//! The whole of Candlewick from outside: the binary, its files, its REST and its stream.
//!
//! `make test` runs these tests, and sets where the tapes and the second fold are.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod amendments;
mod bad_starts;
mod bad_tapes;
mod batches;
mod bench;
mod conflicts;
mod dead_letters;
mod ends;
mod full_disk;
mod generated;
mod identity;
mod kills;
mod live;
mod names;
mod refused;
mod shuffled;
mod shutdown;
mod support;
mod tapes;
mod ties_and_times;
