//! A producer in front of a log in memory and a store in SQLite.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod amendments;
mod appends;
mod declarations;
mod limits;
mod support;
