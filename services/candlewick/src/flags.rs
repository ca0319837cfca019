//! Tests over the flags of all subcommands.

use std::collections::BTreeSet;

use clap::{Arg, Args, Command, CommandFactory};
use host::ErrorCollectingConfigReader;

use crate::cluster::{AggregatorArgs, ApiArgs, ArchiverArgs, MigrateArgs};
use crate::command::Arguments;
use crate::standalone::StandaloneArgs;

/// Flags whose help describes the default in words, or whose default is not a setting.
const DESCRIBED: [(&str, &str); 5] = [
    ("replay", "--symbol"),
    ("replay", "--id-scheme"),
    ("verify", "--data"),
    ("bench", "--rate"),
    ("bench", "--only"),
];

/// The settings without which a role does not start.
const SERVERS: [&str; 4] = [
    "--timescaledb-url",
    "postgres://me@bars/candlewick",
    "--clickhouse-url",
    "http://ticks:8123",
];

/// Returns the defaults that the help of a flag shows.
fn defaults_shown_in_help(arg: &Arg) -> BTreeSet<String> {
    let texts = [arg.get_help(), arg.get_long_help()];
    let mut defaults = BTreeSet::new();
    for text in texts.into_iter().flatten().map(ToString::to_string) {
        for part in text.split("[default: ").skip(1) {
            let default = part.split(']').next();
            defaults.insert(default.unwrap_or_default().to_owned());
        }
    }
    defaults
}

fn long_flag(arg: &Arg) -> String {
    format!("--{}", arg.get_long().unwrap_or_default())
}

/// Reads the settings of a subcommand from flags alone, and returns them as text.
fn read_settings_from_flags<A: Args>(
    flags: &[&str],
    read: impl Fn(A, &mut ErrorCollectingConfigReader) -> String,
) -> (String, ErrorCollectingConfigReader) {
    let command = A::augment_args(Command::new("test"));
    let flags = std::iter::once(&"test").chain(flags);
    let matches = command.try_get_matches_from(flags).unwrap();
    let mut reader = ErrorCollectingConfigReader::default();
    let settings = read(A::from_arg_matches(&matches).unwrap(), &mut reader);
    (settings, reader)
}

/// Checks the flags of a subcommand: a flag that is set to the default that its help shows
/// changes nothing, and every default is shown. Returns the flags with their defaults.
fn check_defaults_of_subcommand<A: Args>(
    required: &[&str],
    read: impl Fn(A, &mut ErrorCollectingConfigReader) -> String,
) -> BTreeSet<(String, String)> {
    let (in_force, reader) = read_settings_from_flags(required, &read);
    let mut shown = BTreeSet::new();
    for arg in A::augment_args(Command::new("test")).get_arguments() {
        for default in defaults_shown_in_help(arg) {
            let flag = long_flag(arg);
            let flags = [required, &[flag.as_str(), default.as_str()]].concat();
            let (settings, reader) = read_settings_from_flags(&flags, &read);
            assert_eq!(settings, in_force, "{flag} [default: {default}]");
            reader.finish().unwrap();
            shown.insert((flag, default));
        }
    }
    for (flag, default) in reader
        .defaults_by_flag()
        .filter(|(_, text)| !text.is_empty())
    {
        let is_shown = shown.contains(&(flag.clone(), default.to_owned()));
        // A migration has the flag in common with the roles, and does not listen.
        let is_unused = flag == "--listen" && default.ends_with(":0");
        assert!(is_shown || is_unused, "{flag} does not show {default}");
    }
    shown
}

/// Returns every flag of these subcommands that has a default, with the default.
fn check_defaults_of_all_flags() -> BTreeSet<(String, String)> {
    let standalone = check_defaults_of_subcommand(&[], |args: StandaloneArgs, reader| {
        format!("{:?}", args.read_and_collect_errors(reader))
    });
    let aggregator = check_defaults_of_subcommand(&SERVERS, |args: AggregatorArgs, reader| {
        format!("{:?}", args.read_and_collect_errors(reader))
    });
    let archiver = check_defaults_of_subcommand(&SERVERS, |args: ArchiverArgs, reader| {
        format!("{:?}", args.read_and_collect_errors(reader))
    });
    let api = check_defaults_of_subcommand(&SERVERS, |args: ApiArgs, reader| {
        format!("{:?}", args.read_and_collect_errors(reader))
    });
    let migrate = check_defaults_of_subcommand(&SERVERS, |args: MigrateArgs, reader| {
        format!("{:?}", args.read_and_collect_errors(reader))
    });
    [standalone, aggregator, archiver, api, migrate]
        .into_iter()
        .flatten()
        .collect()
}

#[test]
fn every_default_that_help_shows_is_the_value_in_force() {
    let checked = check_defaults_of_all_flags();
    let expected = [
        ("--listen", "127.0.0.1:8080"),
        ("--listen", "127.0.0.1:8082"),
        ("--group", "candlewick-aggregator"),
        ("--kafka-request-timeout", "10s"),
        ("--timescaledb-connections", "8"),
        ("--log-max-age", "1d"),
        ("--log-format", "human"),
        ("--feed", "none"),
        ("--symbols", "EURUSD,BTCUSDT,ETHUSDT,AAPL,SPY"),
    ];
    for (flag, default) in expected {
        let pair = (flag.to_owned(), default.to_owned());
        assert!(checked.contains(&pair), "{flag} {default}: {checked:?}");
    }
    let mut commands = vec![Arguments::command()];
    while let Some(command) = commands.pop() {
        commands.extend(command.get_subcommands().cloned());
        for arg in command.get_arguments() {
            let flag = long_flag(arg);
            let name = command.get_name();
            if DESCRIBED.contains(&(name, &flag)) {
                continue;
            }
            for default in defaults_shown_in_help(arg) {
                let pair = (flag.clone(), default);
                assert!(checked.contains(&pair), "{name}: {pair:?} is not checked");
            }
        }
    }
}
