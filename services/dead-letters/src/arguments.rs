//! The command line of `dead-letters`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use host::{ConfigErrors, ErrorCollectingConfigReader};

use crate::filter::DeadLetterFilter;
use crate::location::DeadLetterLocation;
use crate::log_source::LogSource;
use connect::{
    DEAD_LETTERS_REPLAY_RIGHTS, DEAD_LETTERS_RIGHTS, KafkaArgs, RoleRights, TopicPrefixArgs,
    ignore_server_sections_except,
};

const EXPLANATION: &str = "\
A record that was not counted is kept in the topic dead-letters with the reason, whole up to 1 MiB.
A dead letter is named by its partition and offset in that topic: PARTITION/OFFSET, as `list` prints
it. With --data a data folder is read, which no other process may have open; otherwise Kafka is. A
record of that topic that is not a dead letter, since another program may have written it, is
reported on standard error and skipped.

Exit status: 0 if everything succeeded, 1 if something failed, 64 for a bad command line.";

const REPLAYING: &str = "\
The original records are appended to the topic trades again, oldest first, each to the partition of
its key. A record that becomes a dead letter in the meantime is not sent. A trade that is known by
an id, or by its sender's key and index, counts once however often it is delivered, so a second
delivery changes nothing. A trade that is known by its position only gets a new position, and counts
as a new trade. Correct the cause first: a record of an undeclared venue, for example, becomes the
same dead letter again until the venue is declared.";

/// Shows the records that were not counted, and sends them again
#[derive(Debug, Args)]
#[command(after_help = EXPLANATION)]
pub struct DeadLettersArgs {
    #[command(subcommand)]
    command: DeadLettersCommand,
}

#[derive(Debug, Subcommand)]
enum DeadLettersCommand {
    /// List dead letters, newest first
    List(ListLettersArgs),
    /// Show everything about one dead letter, including the bytes of the original record
    Show(ShowLettersArgs),
    /// Append the original records to the topic trades again
    #[command(after_help = REPLAYING)]
    Replay(ResendArgs),
}

/// Where the topics are.
#[derive(Debug, Args)]
struct LogSourceArgs {
    /// A data folder that no other process has open, instead of Kafka
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// A TOML file with the settings of Kafka
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    kafka: KafkaArgs,
    #[command(flatten)]
    topics: TopicPrefixArgs,
}

#[derive(Debug, Args)]
struct ListLettersArgs {
    #[command(flatten)]
    filter: DeadLetterFilter,
    /// The largest number of dead letters, the newest ones
    #[arg(long, value_name = "N", default_value_t = 100,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,
    #[command(flatten)]
    source: LogSourceArgs,
}

#[derive(Debug, Args)]
struct ShowLettersArgs {
    /// The dead letter
    #[arg(value_name = "PARTITION/OFFSET")]
    location: DeadLetterLocation,
    /// Write the original record's value to a file, byte for byte
    #[arg(long = "raw", value_name = "FILE")]
    value_file: Option<PathBuf>,
    #[command(flatten)]
    source: LogSourceArgs,
}

#[derive(Debug, Args)]
struct ResendArgs {
    /// The dead letters
    #[arg(value_name = "PARTITION/OFFSET", required_unless_present = "reason",
          conflicts_with_all = ["reason", "venue", "symbol"])]
    locations: Vec<DeadLetterLocation>,
    #[command(flatten)]
    filter: DeadLetterFilter,
    /// Send without asking
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    source: LogSourceArgs,
}

/// Which dead letters are sent again.
#[derive(Debug)]
pub(crate) enum ResendSelection {
    Locations(Vec<DeadLetterLocation>),
    Matching(DeadLetterFilter),
}

/// What the command line requests.
#[derive(Debug)]
pub(crate) enum DeadLettersAction {
    List {
        filter: DeadLetterFilter,
        /// The largest number of dead letters, the newest ones.
        limit: usize,
    },
    Show {
        location: DeadLetterLocation,
        /// Where the value of the record is written.
        value_file: Option<PathBuf>,
    },
    Replay {
        selection: ResendSelection,
        /// Whether the user is not asked.
        is_confirmed: bool,
    },
}

impl DeadLettersAction {
    /// Returns the rights on the topics that the action needs.
    pub(crate) const fn rights(&self) -> &'static RoleRights {
        match self {
            Self::List { .. } | Self::Show { .. } => &DEAD_LETTERS_RIGHTS,
            Self::Replay { .. } => &DEAD_LETTERS_REPLAY_RIGHTS,
        }
    }
}

impl DeadLettersArgs {
    /// Reads the action, and where the topics are, from the command line and the configuration.
    pub(crate) fn read(self) -> Result<(DeadLettersAction, LogSource), ConfigErrors> {
        let (action, source) = match self.command {
            DeadLettersCommand::List(list) => {
                let (filter, limit) = (list.filter, list.limit as usize);
                (DeadLettersAction::List { filter, limit }, list.source)
            }
            DeadLettersCommand::Show(show) => {
                let action = DeadLettersAction::Show {
                    location: show.location,
                    value_file: show.value_file,
                };
                (action, show.source)
            }
            DeadLettersCommand::Replay(replay) => {
                let selection = match replay.locations.is_empty() {
                    false => ResendSelection::Locations(replay.locations),
                    true => ResendSelection::Matching(replay.filter),
                };
                let action = DeadLettersAction::Replay {
                    selection,
                    is_confirmed: replay.yes,
                };
                (action, replay.source)
            }
        };
        Ok((action, source.read()?))
    }
}

impl LogSourceArgs {
    fn read(self) -> Result<LogSource, ConfigErrors> {
        if let Some(path) = self.data {
            return Ok(LogSource::Folder(path));
        }
        let mut layers = ErrorCollectingConfigReader::load(self.config.as_deref())?;
        ignore_server_sections_except(&mut layers, &["kafka"]);
        let config = self.kafka.read(&mut layers);
        let names = self.topics.read(&mut layers);
        layers.finish()?;
        Ok(LogSource::Kafka(Box::new(config), names))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::DeadLettersArgs;

    #[derive(Debug, Parser)]
    struct TestCommand {
        #[command(flatten)]
        _arguments: DeadLettersArgs,
    }

    #[test]
    fn replay_requires_locations_or_a_reason() {
        let parses = |line: &str| TestCommand::try_parse_from(line.split(' ')).is_ok();
        assert!(parses("x replay 0/1 3/4 --yes --data d"));
        assert!(parses("x replay --reason malformed --venue v"));
        assert!(!parses("x replay --yes"));
        assert!(!parses("x replay --venue v --yes"));
        assert!(!parses("x replay 0/1 --reason malformed"));
        assert!(!parses("x replay --reason because"));
        assert!(parses("x list --reason malformed --limit 5"));
        assert!(!parses("x show"));
    }
}
