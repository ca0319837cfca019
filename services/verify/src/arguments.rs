//! The command line of `verify`.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use host::{ConfigErrors, ConfigReader, Setting};
use kafka::KafkaConfig;
use market::{Interval, Symbol, Venue, Window, parse_time};
use store::{ClickHouseConfig, SymbolRow, TimescaleConfig};

use connect::{ClickHouseArgs, KafkaArgs, TimescaleArgs, TopicNameArgs, TopicNames};

const EXPLANATION: &str = "\
It works beside a running process, or after one: bars are taken as of one moment, and the archiver
is waited for until it has come as far. Where no process holds a data folder, its ticks are brought
up to date from its log first. With --timescaledb-url and --clickhouse-url it is the stores of a
cluster that are compared, through a snapshot of the bars; Kafka is asked only how many partitions
the topic trades has.

Each difference is a line on standard output: instrument, interval, start, field, what is stored,
what the ticks add up to; then a table of what was done. Bars whose ticks are gone (they are kept
for 7 days) are counted as not provable. Exit status: 0 when all bars are equal, 1 otherwise, 64
for a bad command line.";

/// Proves the stored bars: folds the stored ticks anew and compares every value of every bar of
/// every interval.
#[derive(Debug, Args)]
#[command(after_help = EXPLANATION)]
pub struct VerifyArgs {
    /// The data folder, where no servers are named [default: data]
    #[arg(long, env = "CANDLEWICK_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    timescaledb: TimescaleArgs,
    #[command(flatten)]
    clickhouse: ClickHouseArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
    #[command(flatten)]
    topics: TopicNameArgs,
    /// Only symbols of this venue
    #[arg(long)]
    pub(super) venue: Option<Venue>,
    /// Only this symbol
    #[arg(long)]
    symbol: Option<Symbol>,
    /// Only bars that begin at or after this time, such as 2013-10-08T13:30:00Z
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    start: Option<i64>,
    /// Only bars that end at or before this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    end: Option<i64>,
    /// How long to wait for the archiver of a running process, such as 30s or 5m
    #[arg(long, default_value = "60s", value_name = "TIME", value_parser = duration)]
    pub(super) wait: Duration,
    /// Show no progress
    #[arg(long)]
    pub(super) no_progress: bool,
}

/// What is verified.
#[derive(Debug)]
pub(super) enum Subject {
    /// A data folder.
    Folder(PathBuf),
    /// The stores of a cluster.
    Cluster(Box<Servers>),
}

/// Where the stores of a cluster are, and the log that they are filled from.
#[derive(Debug)]
pub(super) struct Servers {
    pub(super) timescaledb: TimescaleConfig,
    pub(super) clickhouse: ClickHouseConfig,
    pub(super) kafka: KafkaConfig,
    pub(super) topics: TopicNames,
}

impl fmt::Display for Subject {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => write!(out, "{}", path.display()),
            Self::Cluster(..) => out.write_str("the cluster"),
        }
    }
}

/// Windows wholly inside `[start, end)`, in UTC nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    start_ns: i64,
    end_ns: i64,
}

impl VerifyArgs {
    /// What no single argument can tell.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let range = self.range();
        if range.start_ns >= range.end_ns {
            return Err("--end is not after --start");
        }
        Ok(())
    }

    /// What is verified: the stores of a cluster where their URLs are given, else a folder.
    pub(super) fn subject(&mut self) -> Result<Subject, ConfigErrors> {
        let mut reader = ConfigReader::load(None)?;
        let timescaledb = std::mem::take(&mut self.timescaledb).read_optional(&mut reader);
        let clickhouse = std::mem::take(&mut self.clickhouse).read_optional(&mut reader);
        match (&timescaledb, &clickhouse) {
            (Some(_), None) => {
                reader.reject("clickhouse.url", "an address beside that of TimescaleDB");
            }
            (None, Some(_)) => reader.reject(
                "timescaledb.url",
                "a database beside the address of ClickHouse",
            ),
            (Some(_), Some(_)) if self.data.is_some() => {
                reader.reject("data", "no folder beside the URLs of servers");
            }
            _ => {}
        }
        let servers = timescaledb.zip(clickhouse);
        let servers = servers.map(|(timescaledb, clickhouse)| Servers {
            timescaledb,
            clickhouse,
            kafka: std::mem::take(&mut self.kafka).read(&mut reader),
            topics: std::mem::take(&mut self.topics).read(&mut reader),
        });
        reader.finish()?;
        Ok(match servers {
            Some(servers) => Subject::Cluster(Box::new(servers)),
            None => Subject::Folder(self.data.clone().unwrap_or_else(|| "data".into())),
        })
    }

    pub(super) fn range(&self) -> Range {
        Range {
            start_ns: self.start.unwrap_or(0),
            end_ns: self.end.unwrap_or(i64::MAX),
        }
    }

    /// Whether only some symbols are asked for.
    pub(super) const fn names_symbols(&self) -> bool {
        self.venue.is_some() || self.symbol.is_some()
    }

    /// Whether a symbol of the venue is asked for.
    pub(super) fn asks_for(&self, row: &SymbolRow) -> bool {
        let symbol = self.symbol.as_ref();
        symbol.is_none_or(|symbol| symbol.as_str() == row.instrument.symbol())
    }
}

impl Range {
    /// Whether it holds a whole window.
    pub(super) const fn holds(self, window: Window) -> bool {
        self.start_ns <= window.start_ns && window.end_ns() <= self.end_ns
    }

    /// Whether nothing lies outside.
    pub(super) const fn is_all(self) -> bool {
        self.start_ns == 0 && self.end_ns == i64::MAX
    }

    /// The UTC days that it touches, `[start, end)`: whole days of ticks make whole bars, and
    /// show every delivery of an id that is unique within its hour or day.
    pub(super) const fn days(self) -> (i64, i64) {
        let last = Interval::D1.window_containing(self.end_ns - 1);
        (
            Interval::D1.window_containing(self.start_ns).start_ns,
            last.end_ns(),
        )
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    Setting::parse(text).map_err(|_| format!("{} is expected", <Duration as Setting>::ACCEPTS))
}

#[cfg(test)]
mod tests {
    use market::{DAY_NS, HOUR_NS, Interval};

    use super::Range;

    #[test]
    fn a_range_holds_whole_windows_and_touches_whole_days() {
        let range = Range {
            start_ns: HOUR_NS,
            end_ns: DAY_NS + 2 * HOUR_NS,
        };
        assert_eq!(range.days(), (0, 2 * DAY_NS));
        assert!(range.holds(Interval::H1.window_containing(HOUR_NS)));
        assert!(!range.holds(Interval::H4.window_containing(HOUR_NS)));
        assert!(!range.holds(Interval::H4.window_containing(DAY_NS)));
        assert!(range.holds(Interval::H1.window_containing(DAY_NS + HOUR_NS)));
        assert!(!range.is_all());
        let all = Range {
            start_ns: 0,
            end_ns: i64::MAX,
        };
        assert_eq!(all.days(), (0, i64::MAX));
        assert!(all.is_all() && all.holds(Interval::D1.window_containing(i64::MAX)));
    }
}
