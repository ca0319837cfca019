//! The whole of Candlewick from outside: the binary, its files, its REST and its stream.
//!
//! Run by `make test`, which says where the tapes and the second fold are.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod batches;
mod generated;
mod identity;
mod kills;
mod live;
mod shuffled;
mod support;
mod tapes;
