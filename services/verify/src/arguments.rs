//! The command line of `verify`.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use host::{ConfigErrors, ErrorCollectingConfigReader, SettingValue};
use kafka::KafkaConfig;
use market::{Interval, Symbol, Venue, Window, parse_time};
use store::{ClickHouseConfig, SymbolRow, TimescaleConfig};

use connect::{ClickHouseArgs, KafkaArgs, TimescaleArgs, TopicNames, TopicPrefixArgs};

const EXPLANATION: &str = "\
It can run while another process has the data folder open: it takes a snapshot of the bars, and
waits until the archiver has stored the ticks up to there. If no process has the folder open, it
archives missing ticks from the folder's log first. With --timescaledb-url and --clickhouse-url it
compares the stores of a cluster, through a snapshot of the bars; from Kafka it reads the
number of partitions of the topic trades, and whether they have records that are not folded.

Each difference is a line on standard output: instrument, interval, start, field, the stored value,
the refolded value; a table of counts follows. Bars whose ticks are deleted (they are kept for 7
days) are counted as not provable. Duplicates are counted too, and as conflicts those that differ
from the first delivery in time, price, quantity or side; no bar holds them. Over a cluster,
partitions with records that no aggregator folds are named. Exit status: 0 if all bars are equal and
no partition stands still, 1 otherwise, 64 for a bad command line.";

/// Checks the stored bars: refolds the stored ticks and compares every value of every bar of every
/// interval.
#[derive(Debug, Args)]
#[command(after_help = EXPLANATION)]
pub struct VerifyArgs {
    /// The data folder, unless the URLs of servers are set [default: data]
    #[arg(long, env = "CANDLEWICK_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    timescaledb: TimescaleArgs,
    #[command(flatten)]
    clickhouse: ClickHouseArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
    #[command(flatten)]
    topics: TopicPrefixArgs,
    /// Only symbols of this venue
    #[arg(long)]
    pub(crate) venue: Option<Venue>,
    /// Only this symbol
    #[arg(long)]
    symbol: Option<Symbol>,
    /// Only bars that begin at or after this time, such as 2013-10-08T13:30:00Z
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    start: Option<i64>,
    /// Only bars that end at or before this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    end: Option<i64>,
    /// How long to wait for the archiver of another process, such as 30s or 5m
    #[arg(long, default_value = "60s", value_name = "TIME", value_parser = parse_duration)]
    pub(crate) wait: Duration,
    /// Show no progress
    #[arg(long)]
    pub(crate) no_progress: bool,
}

/// What is verified.
#[derive(Debug)]
pub(crate) enum VerifyTarget {
    /// A data folder.
    Folder(PathBuf),
    /// The stores of a cluster.
    Cluster(Box<ClusterConfig>),
}

/// How to connect to the stores of a cluster, and to the log that they are filled from.
#[derive(Debug)]
pub(crate) struct ClusterConfig {
    pub(crate) timescaledb: TimescaleConfig,
    pub(crate) clickhouse: ClickHouseConfig,
    pub(crate) kafka: KafkaConfig,
    pub(crate) topics: TopicNames,
}

impl fmt::Display for VerifyTarget {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => write!(out, "{}", path.display()),
            Self::Cluster(..) => out.write_str("the cluster"),
        }
    }
}

/// The windows that lie wholly within `[start_ns, end_ns)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeRange {
    start_ns: i64,
    end_ns: i64,
}

impl VerifyArgs {
    /// Checks the arguments against each other.
    pub(crate) fn check_combinations(&self) -> Result<(), &'static str> {
        let range = self.time_range();
        if range.start_ns >= range.end_ns {
            return Err("--end is not after --start");
        }
        Ok(())
    }

    /// Returns the stores of a cluster if their URLs are set, otherwise a data folder.
    pub(crate) fn read_target(&mut self) -> Result<VerifyTarget, ConfigErrors> {
        let mut layers = ErrorCollectingConfigReader::load(None)?;
        let timescaledb = std::mem::take(&mut self.timescaledb).read_optional(&mut layers);
        let clickhouse = std::mem::take(&mut self.clickhouse).read_optional(&mut layers);
        match (&timescaledb, &clickhouse) {
            (Some(_), None) => {
                layers.reject(
                    "clickhouse.url",
                    "an address along with that of TimescaleDB",
                );
            }
            (None, Some(_)) => {
                layers.reject(
                    "timescaledb.url",
                    "a database along with the address of ClickHouse",
                );
            }
            (Some(_), Some(_)) if self.data.is_some() => {
                layers.reject("data", "no folder along with the URLs of servers");
            }
            _ => {}
        }
        let servers = timescaledb.zip(clickhouse);
        let servers = servers.map(|(timescaledb, clickhouse)| ClusterConfig {
            timescaledb,
            clickhouse,
            kafka: std::mem::take(&mut self.kafka).read(&mut layers),
            topics: std::mem::take(&mut self.topics).read(&mut layers),
        });
        layers.finish()?;
        Ok(match servers {
            Some(servers) => VerifyTarget::Cluster(Box::new(servers)),
            None => VerifyTarget::Folder(self.data.clone().unwrap_or_else(|| "data".into())),
        })
    }

    /// Returns the range of `--start` and `--end`.
    pub(crate) fn time_range(&self) -> TimeRange {
        TimeRange {
            start_ns: self.start.unwrap_or(0),
            end_ns: self.end.unwrap_or(i64::MAX),
        }
    }

    /// Returns whether the command line sets `--venue` or `--symbol`.
    pub(crate) const fn filters_by_venue_or_symbol(&self) -> bool {
        self.venue.is_some() || self.symbol.is_some()
    }

    /// Returns whether `--symbol` selects the symbol of `row`. Says nothing about its venue.
    pub(crate) fn symbol_filter_matches(&self, row: &SymbolRow) -> bool {
        let symbol = self.symbol.as_ref();
        symbol.is_none_or(|symbol| symbol.as_str() == row.instrument.symbol())
    }
}

impl TimeRange {
    /// Returns whether the whole window lies within the range.
    pub(crate) const fn contains_window(self, window: Window) -> bool {
        self.start_ns <= window.start_ns && window.end_ns() <= self.end_ns
    }

    /// Returns whether the command line sets neither a start nor an end.
    pub(crate) const fn is_unbounded(self) -> bool {
        self.start_ns == 0 && self.end_ns == i64::MAX
    }

    /// Returns the start and end of the UTC days that the range touches. Whole days of ticks make
    /// whole bars, and hold every delivery of an id that is unique within its hour or day.
    pub(crate) const fn bounds_of_touched_days(self) -> (i64, i64) {
        let last = Interval::D1.window_containing(self.end_ns - 1);
        (
            Interval::D1.window_containing(self.start_ns).start_ns,
            last.end_ns(),
        )
    }
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    SettingValue::parse(text)
        .map_err(|_| format!("{} is expected", <Duration as SettingValue>::ACCEPTS))
}

#[cfg(test)]
mod tests {
    use market::{DAY_NS, HOUR_NS, Interval};

    use super::TimeRange;

    #[test]
    fn a_range_contains_whole_windows_and_touches_whole_days() {
        let range = TimeRange {
            start_ns: HOUR_NS,
            end_ns: DAY_NS + 2 * HOUR_NS,
        };
        assert_eq!(range.bounds_of_touched_days(), (0, 2 * DAY_NS));
        assert!(range.contains_window(Interval::H1.window_containing(HOUR_NS)));
        assert!(!range.contains_window(Interval::H4.window_containing(HOUR_NS)));
        assert!(!range.contains_window(Interval::H4.window_containing(DAY_NS)));
        assert!(range.contains_window(Interval::H1.window_containing(DAY_NS + HOUR_NS)));
        assert!(!range.is_unbounded());
        let all = TimeRange {
            start_ns: 0,
            end_ns: i64::MAX,
        };
        assert_eq!(all.bounds_of_touched_days(), (0, i64::MAX));
        assert!(
            all.is_unbounded() && all.contains_window(Interval::D1.window_containing(i64::MAX))
        );
    }
}
