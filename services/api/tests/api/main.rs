//! The API over HTTP, with everything behind it: a durable log, the aggregator, the archiver
//! and the SQLite stores.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod amend;
mod bars;
mod closes;
mod cursors;
mod duplicates;
mod ids_and_names;
mod prices;
mod problems;
mod repairs;
mod settings;
mod stream;
mod submit;
mod trades;
mod world;
