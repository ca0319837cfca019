//! The API over HTTP, with everything behind it: a durable log, the aggregator, the archiver
//! and the SQLite stores.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod bars;
mod problems;
mod settings;
mod submit;
mod trades;
mod world;
