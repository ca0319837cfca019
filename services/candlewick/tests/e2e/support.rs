//! Processes of the binary, their clients, and what the tests compare them with.

pub(crate) mod command;
mod live_client;
mod model;
mod oracle;
mod process;
mod queries;
mod shuffle;
mod table;
mod tapes;
mod test_client;
mod wait;
mod write;

pub(crate) use client::Encoding;
pub(crate) use command::{Finished, candlewick, figure, replay, verify};
pub(crate) use live_client::LiveClient;
pub(crate) use model::Model;
pub(crate) use oracle::{Fold, Oracle};
pub(crate) use process::Standalone;
pub(crate) use queries::{bars, bars_by, counted, insert, settle, tables, trades};
pub(crate) use shuffle::shuffle_within;
pub(crate) use table::{INTERVALS, Key, Tables, assert_equal};
pub(crate) use tapes::{SYMBOLS, TRADES, expected, lines, tapes};
pub(crate) use test_client::{TestClient, TestResponse};
pub(crate) use wait::{eventually, pause, until};
pub(crate) use write::{Line, write_plain};
