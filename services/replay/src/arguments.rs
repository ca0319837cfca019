//! The command line of `replay`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use host::SettingValue;
use market::{IdScheme, IdScope, Symbol, Venue};

use crate::format::TapeFormatChoice;
use crate::speed::ReplaySpeed;
use client::RestClient;

const FORMATS: &str = "\
Formats, detected from the first line:
  binance  Binance's trade archives: id, price, quantity, quote quantity, time, is buyer maker,
           is best match; with or without a header. Times from 100000000000000 on are
           microseconds, others milliseconds. Ids are assumed to be contiguous.
  plain    a header that names any of time, price, quantity, side, id, scope, venue, symbol; time
           (integer nanoseconds or RFC 3339) and price are required. With an id column ids are
           assumed to be unique; without one each trade is identified by the values of its line and
           the number of equal lines before it, so the same lines are the same trades in any
           other file too.

Sending a tape again, whole or in part, changes nothing. An interrupted replay resumes where it
stopped if it is run again with the same files and options.

At the end the run waits until its trades are folded, and counts those that conflict: the server has
another trade under the same id, with another time, price, quantity or side. The first counts. Trades
that others send to the same symbols meanwhile are counted with them.

Exit status: 0 if every line was a trade, and every trade was accepted and has no conflict; 1
otherwise.";

/// Sends tapes of trades, as zip, gzip or plain CSV, into a running process; several tapes are
/// merged by event time.
#[derive(Debug, Args)]
#[command(after_help = FORMATS)]
pub struct ReplayArgs {
    /// The tapes to send
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The venue of lines that name no venue
    #[arg(long)]
    pub(crate) venue: Venue,
    /// The symbol of lines that name no symbol [default: the part of each file's name before
    /// -trades-, or before the first -]
    #[arg(long)]
    pub(crate) symbol: Option<Symbol>,
    /// Where ids are unique: within a symbol, day, exchange (the column scope) or file
    #[arg(long, default_value = "symbol", value_name = "SCOPE")]
    pub(crate) id_scope: IdScope,
    /// How trades are numbered: contiguous, unique or none [default: by the format]
    #[arg(long, value_name = "SCHEME")]
    pub(crate) id_scheme: Option<IdScheme>,
    /// The format of the lines: auto, binance or plain
    #[arg(long, default_value = "auto")]
    pub(crate) format: TapeFormatChoice,
    /// How fast to send: max, or a multiple of the original speed, such as 1x or 60x
    #[arg(long, default_value = "max")]
    pub(crate) speed: ReplaySpeed,
    /// The API of the process to send to
    #[arg(long = "to", default_value = "http://127.0.0.1:8080", value_name = "URL", value_parser = RestClient::new)]
    pub(crate) server: RestClient,
    /// The largest number of trades in a request, up to 50000
    #[arg(long, default_value_t = 10_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=50_000))]
    pub(crate) batch: u32,
    /// The number of concurrent requests, up to 64; a venue whose trades of equal time have the
    /// order of the log (ties: log) is sent one request after the other
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) connections: u32,
    /// How long to retry while the process does not answer, such as 30s, 10m or 12h
    #[arg(long, default_value = "10m", value_name = "TIME", value_parser = parse_duration)]
    pub(crate) give_up: Duration,
    /// Send everything, even what an interrupted replay has sent
    #[arg(long)]
    pub(crate) restart: bool,
    /// Show no progress
    #[arg(long)]
    pub(crate) no_progress: bool,
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    SettingValue::parse(text)
        .map_err(|_| format!("{} is expected", <Duration as SettingValue>::ACCEPTS))
}
