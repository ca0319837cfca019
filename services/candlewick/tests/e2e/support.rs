//! Processes of the binary, and what the tests ask of them.

pub(crate) mod command;
mod follower;
mod http;
mod model;
mod oracle;
mod process;
mod random;
mod rest;
mod stream;
mod table;
mod tapes;
mod wait;
mod write;

pub(crate) use command::{Finished, candlewick, figure, replay, verify};
pub(crate) use follower::Follower;
pub(crate) use http::{Answer, Client};
pub(crate) use model::Model;
pub(crate) use oracle::{Fold, Oracle};
pub(crate) use process::Standalone;
pub(crate) use random::Random;
pub(crate) use rest::{bars, bars_by, counted, insert, settle, tables, trades};
pub(crate) use stream::Protocol;
pub(crate) use table::{INTERVALS, Key, Tables, assert_equal};
pub(crate) use tapes::{SYMBOLS, TRADES, expected, lines, tapes};
pub(crate) use wait::{eventually, pause, until};
pub(crate) use write::{Line, write_plain};
