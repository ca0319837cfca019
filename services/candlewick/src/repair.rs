//! `candlewick repair`: minutes of a running process or cluster, folded anew from their ticks.

use std::process::ExitCode;

use clap::Args;
use market::{DAY_NS, MINUTE_NS, Symbol, Venue, format_time, parse_time};

use client::RestClient;
use schemas::api::RepairJson;

/// The longest range that the server takes at once.
const LONGEST_NS: i64 = 31 * DAY_NS;

const EXPLANATION: &str = "\
The minutes are marked, and while they are, their bars are served as they are. Each is folded anew
from the stored ticks as soon as the archiver has come as far, usually within seconds, and the
longer intervals from it. Nothing else is changed: a bar that was right stays as it was. Hours that
hold nothing are passed over; those that the log took more than 6 days ago cannot change any more.";

/// Folds minutes of a symbol anew from its stored trades
#[derive(Debug, Args)]
#[command(after_help = EXPLANATION)]
pub(crate) struct RepairArgs {
    /// The API of a process or cluster
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    server: String,
    /// The venue
    #[arg(long)]
    venue: Venue,
    /// The symbol
    #[arg(long)]
    symbol: Symbol,
    /// The first minute, such as 2013-10-08T13:30:00Z
    #[arg(long, value_name = "TIME", value_parser = minute)]
    start: i64,
    /// The end of the last minute
    #[arg(long, value_name = "TIME", value_parser = minute)]
    end: i64,
}

/// Asks for it, and says what was asked for.
pub(crate) fn run(arguments: &RepairArgs) -> anyhow::Result<ExitCode> {
    if arguments.start >= arguments.end {
        eprintln!("candlewick: --end is not after --start");
        return Ok(ExitCode::from(host::EXIT_USAGE));
    }
    let server = match RestClient::new(&arguments.server) {
        Ok(server) => server,
        Err(wrong) => {
            eprintln!("candlewick: --server: {wrong}");
            return Ok(ExitCode::from(host::EXIT_USAGE));
        }
    };
    let mut total = RepairJson::default();
    for (start_ns, end_ns) in pieces(arguments.start, arguments.end) {
        let taken = server.repair(
            &arguments.venue,
            &arguments.symbol,
            &format_time(start_ns),
            &format_time(end_ns),
        )?;
        total.records += taken.records;
        total.minutes += taken.minutes;
        total.beyond_horizon += taken.beyond_horizon;
    }
    println!(
        "{} minutes are folded anew, by {} records",
        total.minutes, total.records
    );
    if total.beyond_horizon > 0 {
        println!(
            "{} minutes are left as they are: the log took their hours more than 6 days ago",
            total.beyond_horizon
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// A range in pieces that the server takes.
fn pieces(start_ns: i64, end_ns: i64) -> impl Iterator<Item = (i64, i64)> {
    let starts = std::iter::successors(Some(start_ns), |start| start.checked_add(LONGEST_NS));
    starts
        .take_while(move |start| *start < end_ns)
        .map(move |start| (start, start.saturating_add(LONGEST_NS).min(end_ns)))
}

fn minute(text: &str) -> Result<i64, String> {
    let time_ns = parse_time(text).map_err(|error| error.to_string())?;
    match time_ns >= 0 && time_ns % MINUTE_NS == 0 {
        true => Ok(time_ns),
        false => Err("it is not a whole minute of the years from 1970 on".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST_NS, minute, pieces};

    #[test]
    fn a_long_range_is_asked_for_in_pieces() {
        let found: Vec<_> = pieces(5, 2 * LONGEST_NS + 6).collect();
        let middle = 5 + LONGEST_NS;
        let last = middle + LONGEST_NS;
        assert_eq!(found, [(5, middle), (middle, last), (last, last + 1)]);
        assert_eq!(pieces(5, 6).collect::<Vec<_>>(), [(5, 6)]);
    }

    #[test]
    fn times_are_whole_minutes() {
        assert!(minute("2013-10-08T13:30:00Z").is_ok());
        for text in ["2013-10-08T13:30:01Z", "1969-12-31T23:59:00Z", "noon"] {
            assert!(minute(text).is_err(), "{text}");
        }
    }
}
