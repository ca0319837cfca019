//! `candlewick repair`: refolds minutes of a running process or cluster from their ticks.

use std::process::ExitCode;

use clap::Args;
use market::{DAY_NS, MINUTE_NS, Symbol, Venue, format_time, parse_time};

use client::RestClient;
use schemas::api::RepairResponseJson;

/// The longest range of one request.
const LONGEST_RANGE_NS: i64 = 31 * DAY_NS;

const EXPLANATION: &str = "\
The minutes are marked for refolding; until then their bars are served as they are. Each minute is
refolded from the stored ticks as soon as the archiver has reached the mark, usually within seconds,
and the longer intervals from it. Nothing else changes: a bar that was right stays as it was. Hours
without trades are skipped. Hours whose trades were appended to the log more than 6 days ago cannot
be refolded. A minute whose stored trades are not all there is refused, and keeps its bar, which is
marked as not provable; --force replaces it all the same, for instance after its row was deleted by
hand.";

/// Refolds minutes of a symbol from its stored trades
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
    #[arg(long, value_name = "TIME", value_parser = parse_whole_minute_ns)]
    start: i64,
    /// The end of the last minute
    #[arg(long, value_name = "TIME", value_parser = parse_whole_minute_ns)]
    end: i64,
    /// Replace a bar even if its stored trades are fewer or more than it has counted
    #[arg(long)]
    force: bool,
}

/// Requests the repair from the server, and prints how many minutes will be refolded.
pub(crate) fn run(arguments: &RepairArgs) -> anyhow::Result<ExitCode> {
    if arguments.start >= arguments.end {
        eprintln!("candlewick: --end is not after --start");
        return Ok(ExitCode::from(host::EXIT_USAGE));
    }
    let server = match RestClient::new(&arguments.server) {
        Ok(server) => server,
        Err(error) => {
            eprintln!("candlewick: --server: {error}");
            return Ok(ExitCode::from(host::EXIT_USAGE));
        }
    };
    let mut total = RepairResponseJson::default();
    for (start_ns, end_ns) in split_range(arguments.start, arguments.end) {
        let taken = server.request_repair(
            &arguments.venue,
            &arguments.symbol,
            &format_time(start_ns),
            &format_time(end_ns),
            arguments.force,
        )?;
        total.records += taken.records;
        total.minutes += taken.minutes;
        total.beyond_horizon += taken.beyond_horizon;
    }
    println!(
        "{} minutes will be refolded ({} records appended)",
        total.minutes, total.records
    );
    if total.beyond_horizon > 0 {
        println!(
            "{} minutes stay as they are: their trades were appended more than 6 days ago",
            total.beyond_horizon
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Splits a range into ranges that are short enough for one request.
fn split_range(start_ns: i64, end_ns: i64) -> impl Iterator<Item = (i64, i64)> {
    let starts = std::iter::successors(Some(start_ns), |start| start.checked_add(LONGEST_RANGE_NS));
    starts
        .take_while(move |start| *start < end_ns)
        .map(move |start| (start, start.saturating_add(LONGEST_RANGE_NS).min(end_ns)))
}

fn parse_whole_minute_ns(text: &str) -> Result<i64, String> {
    let time_ns = parse_time(text).map_err(|error| error.to_string())?;
    match time_ns >= 0 && time_ns % MINUTE_NS == 0 {
        true => Ok(time_ns),
        false => Err("it is not a whole minute of the years from 1970 on".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST_RANGE_NS, parse_whole_minute_ns, split_range};

    #[test]
    fn a_long_range_is_split() {
        let ranges: Vec<_> = split_range(5, 2 * LONGEST_RANGE_NS + 6).collect();
        let middle = 5 + LONGEST_RANGE_NS;
        let last = middle + LONGEST_RANGE_NS;
        assert_eq!(ranges, [(5, middle), (middle, last), (last, last + 1)]);
        assert_eq!(split_range(5, 6).collect::<Vec<_>>(), [(5, 6)]);
    }

    #[test]
    fn times_are_whole_minutes() {
        assert!(parse_whole_minute_ns("2013-10-08T13:30:00Z").is_ok());
        for text in ["2013-10-08T13:30:01Z", "1969-12-31T23:59:00Z", "noon"] {
            assert!(parse_whole_minute_ns(text).is_err(), "{text}");
        }
    }
}
