//! The command line of `dead-letters`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use host::{ConfigErrors, ConfigReader};
use market::{RejectReason, Symbol, Venue};

use super::place::LetterPlace;
use super::source::Source;
use connect::{KafkaArgs, TopicNameArgs, ignore_all_but};

const EXPLANATION: &str = "\
A record that was not counted is kept in the topic dead-letters with the reason, whole up to 1 MiB.
A dead letter is named by its place in that topic: PARTITION/OFFSET, as `list` prints it. With
--data it is a data folder that is read, which no process may hold meanwhile; otherwise it is Kafka.
A record of that topic that is no dead letter, as another program may have written, is named on
standard error and passed over.

Exit status: 0 when all went well, 1 when something failed, 64 for a bad command line.";

const REPLAYING: &str = "\
The original record is appended to the topic trades again, to the partition that its key names. A
trade that is known by an id, or by its sender's key and index, counts once however often it is
delivered, so a second delivery is harmless. They go oldest first; what becomes a dead letter
meanwhile is not sent. A trade that is known by its position only has a new
one afterwards, and counts as a new trade. What was wrong is to be mended first: a record of an
undeclared venue, say, becomes the same dead letter again until the venue is declared.";

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
    List(ListArgs),
    /// Show everything about one of them, the bytes of the original record included
    Show(ShowArgs),
    /// Append the original records to the topic trades again
    #[command(after_help = REPLAYING)]
    Replay(ReplayArgs),
}

/// Where the dead letters are.
#[derive(Debug, Args)]
struct SourceArgs {
    /// A data folder that no process holds, rather than Kafka
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// A TOML file with the settings of Kafka
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    kafka: KafkaArgs,
    #[command(flatten)]
    topics: TopicNameArgs,
}

/// Which dead letters are meant.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Filter {
    /// Only those of this reason, such as `venue_unknown`
    #[arg(long, value_name = "CODE", value_parser = reason)]
    pub(super) reason: Option<RejectReason>,
    /// Only records of this venue
    #[arg(long)]
    pub(super) venue: Option<Venue>,
    /// Only records of this symbol
    #[arg(long)]
    pub(super) symbol: Option<Symbol>,
}

#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    filter: Filter,
    /// At most so many, the newest
    #[arg(long, value_name = "N", default_value_t = 100,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,
    #[command(flatten)]
    source: SourceArgs,
}

#[derive(Debug, Args)]
struct ShowArgs {
    /// Which one
    #[arg(value_name = "PARTITION/OFFSET")]
    place: LetterPlace,
    /// Write the original record's value to a file, byte for byte
    #[arg(long, value_name = "FILE")]
    raw: Option<PathBuf>,
    #[command(flatten)]
    source: SourceArgs,
}

#[derive(Debug, Args)]
struct ReplayArgs {
    /// Which ones
    #[arg(value_name = "PARTITION/OFFSET", required_unless_present = "reason",
          conflicts_with_all = ["reason", "venue", "symbol"])]
    places: Vec<LetterPlace>,
    #[command(flatten)]
    filter: Filter,
    /// Ask no question
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    source: SourceArgs,
}

/// Which dead letters are sent again.
#[derive(Debug)]
pub(super) enum Which {
    Places(Vec<LetterPlace>),
    Matching(Filter),
}

/// What is done.
#[derive(Debug)]
pub(super) enum Deed {
    List {
        filter: Filter,
        /// At most so many, the newest.
        limit: usize,
    },
    Show {
        place: LetterPlace,
        raw: Option<PathBuf>,
    },
    Replay {
        which: Which,
        yes: bool,
    },
}

impl DeadLettersArgs {
    /// What to do, and where.
    pub(super) fn read(self) -> Result<(Deed, Source), ConfigErrors> {
        let (deed, source) = match self.command {
            DeadLettersCommand::List(list) => {
                let (filter, limit) = (list.filter, list.limit as usize);
                (Deed::List { filter, limit }, list.source)
            }
            DeadLettersCommand::Show(show) => {
                let (place, raw) = (show.place, show.raw);
                (Deed::Show { place, raw }, show.source)
            }
            DeadLettersCommand::Replay(replay) => {
                let which = match replay.places.is_empty() {
                    false => Which::Places(replay.places),
                    true => Which::Matching(replay.filter),
                };
                let yes = replay.yes;
                (Deed::Replay { which, yes }, replay.source)
            }
        };
        Ok((deed, source.read()?))
    }
}

impl SourceArgs {
    fn read(self) -> Result<Source, ConfigErrors> {
        if let Some(path) = self.data {
            return Ok(Source::Folder(path));
        }
        let mut reader = ConfigReader::load(self.config.as_deref())?;
        ignore_all_but(&mut reader, &["kafka"]);
        let config = self.kafka.read(&mut reader);
        let names = self.topics.read(&mut reader);
        reader.finish()?;
        Ok(Source::Cluster(Box::new(config), names))
    }
}

fn reason(code: &str) -> Result<RejectReason, String> {
    RejectReason::from_code(code).ok_or_else(|| {
        let codes = RejectReason::ALL.map(RejectReason::code);
        format!("it is not one of {}", codes.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::DeadLettersArgs;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        _arguments: DeadLettersArgs,
    }

    #[test]
    fn what_is_sent_again_has_to_be_named() {
        let parses = |line: &str| Command::try_parse_from(line.split(' ')).is_ok();
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
