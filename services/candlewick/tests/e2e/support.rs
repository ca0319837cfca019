//! Processes of the binary, their clients, and what the tests compare them with.

pub(crate) mod command;
mod live_client;
mod model;
mod process;
mod python_fold;
mod queries;
mod shuffle;
mod table;
mod tape_fixture;
mod tapes;
mod test_client;
mod wait;
mod written_tapes;

pub(crate) use client::StreamEncoding;
pub(crate) use command::{Finished, candlewick, replay, table_number, verify};
pub(crate) use live_client::LiveClient;
pub(crate) use model::Model;
pub(crate) use process::TestProcess;
pub(crate) use python_fold::{FoldedTapes, PythonFold};
pub(crate) use queries::{bars, bars_by, counted_trades, insert, tables, trades, wait_settled};
pub(crate) use shuffle::shuffle_within;
pub(crate) use table::{INTERVALS, SeriesKey, Tables, assert_equal};
pub(crate) use tape_fixture::TapeFixture;
pub(crate) use tapes::{SYMBOLS, TRADES, expected, lines, tapes};
pub(crate) use test_client::{TestClient, TestResponse};
pub(crate) use wait::{eventually, pause, until};
pub(crate) use written_tapes::{Line, write_plain};
