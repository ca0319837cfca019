//! The command line of `replay`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use host::Setting;
use market::{IdScheme, IdScope, Symbol, Venue};

use crate::format::FormatChoice;
use crate::pace::Speed;
use client::RestClient;

const FORMATS: &str = "\
Formats, told apart by the first line:
  binance  Binance's trade archives: id, price, quantity, quote quantity, time, is buyer maker,
           is best match; with or without a header. Times from 100000000000000 on are
           microseconds, others milliseconds. Ids are taken to be contiguous.
  plain    a header that names any of time, price, quantity, side, id, scope, venue, symbol; time
           (integer nanoseconds or RFC 3339) and price are needed. With an id column ids are taken
           to be unique, without one each trade is known by the file's digest and its line.

Sending a tape again, whole or in part, changes nothing. An interrupted replay goes on where it was
when it is run again with the same files and options. Exit status: 0 when every line was a trade
and every trade was accepted, 1 otherwise.";

/// Sends tapes of trades, as zip, gzip or plain CSV, into a running process; several tapes are
/// merged by event time, as they happened.
#[derive(Debug, Args)]
#[command(after_help = FORMATS)]
pub struct ReplayArgs {
    /// The tapes
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    /// The venue of lines that name none
    #[arg(long)]
    pub(super) venue: Venue,
    /// The symbol of lines that name none [default: what each file's name has before -trades-, or
    /// before the first -]
    #[arg(long)]
    pub(super) symbol: Option<Symbol>,
    /// Within what ids are unique: symbol, day, exchange (the column scope) or file
    #[arg(long, default_value = "symbol", value_name = "SCOPE")]
    pub(super) id_scope: IdScope,
    /// How trades are numbered: contiguous, unique or none [default: by the format]
    #[arg(long, value_name = "SCHEME")]
    pub(super) id_scheme: Option<IdScheme>,
    /// How lines are written: auto, binance or plain
    #[arg(long, default_value = "auto")]
    pub(super) format: FormatChoice,
    /// How fast: max, or so many times as fast as it happened, such as 1x or 60x
    #[arg(long, default_value = "max")]
    pub(super) speed: Speed,
    /// The process to send to
    #[arg(long, default_value = "http://127.0.0.1:8080", value_name = "URL", value_parser = RestClient::new)]
    pub(super) to: RestClient,
    /// How many trades a request holds at most, up to 50000
    #[arg(long, default_value_t = 10_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=50_000))]
    pub(super) batch: u32,
    /// How many requests are under way at once, up to 64; with more than one, trades without ids
    /// may change places
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(super) connections: u32,
    /// How long to try while the process does not answer, such as 30s, 10m or 12h
    #[arg(long, default_value = "10m", value_name = "TIME", value_parser = duration)]
    pub(super) give_up: Duration,
    /// Send everything, whatever an interrupted replay has sent
    #[arg(long)]
    pub(super) restart: bool,
    /// Show no progress
    #[arg(long)]
    pub(super) no_progress: bool,
}

fn duration(text: &str) -> Result<Duration, String> {
    Setting::parse(text).map_err(|_| format!("{} is expected", <Duration as Setting>::ACCEPTS))
}
