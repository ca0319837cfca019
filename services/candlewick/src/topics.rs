//! `candlewick topics`: creates the topics of Kafka and compares those that exist.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use clock::SystemClock;
use host::{Align, ErrorCollectingConfigReader, TextTable};
use kafka::{KafkaClient, KafkaConfig, TopicDrift, TopicDriftAction, TopicSpec, plan_topics};

use connect::{
    KafkaArgs, TimescaleArgs, TopicNames, TopicPrefixArgs, ignore_server_sections_except,
    topic_specs,
};
use store::TimescaleBarStore;

use crate::cluster::rebind_topic;

/// Creates the topics of a cluster, and finds settings of existing topics that are not as they
/// should be.
#[derive(Debug, Args)]
pub(crate) struct TopicsArgs {
    #[command(subcommand)]
    command: TopicsCommand,
}

#[derive(Debug, Subcommand)]
enum TopicsCommand {
    /// Create missing topics, and correct the settings that can be changed safely. It never changes
    /// the number of partitions, drops records or moves replicas
    Apply(ApplyTopicsArgs),
    /// Let this database take over the topic trades from the database that it is folded into. Stop
    /// the aggregators of the other database first
    Bind(BindTopicsArgs),
}

#[derive(Debug, Args)]
struct BindTopicsArgs {
    /// A TOML file with the settings of Kafka and TimescaleDB
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    kafka: KafkaArgs,
    #[command(flatten)]
    names: TopicPrefixArgs,
    #[command(flatten)]
    timescaledb: TimescaleArgs,
}

#[derive(Debug, Args)]
struct ApplyTopicsArgs {
    /// Only print what would be done; exit status 1 if anything would be done
    #[arg(long)]
    dry_run: bool,
    /// The number of partitions of each topic
    #[arg(long, value_name = "N", default_value_t = schemas::DEFAULT_PARTITIONS,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    partitions: u32,
    /// The number of brokers that keep each partition
    #[arg(long, value_name = "N", default_value_t = schemas::DEFAULT_REPLICATION,
          value_parser = clap::value_parser!(u32).range(1..=32))]
    replication: u32,
    /// A TOML file with the settings of Kafka
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    kafka: KafkaArgs,
    #[command(flatten)]
    names: TopicPrefixArgs,
}

/// Creates and corrects the topics, and prints what was done.
pub(crate) fn run(arguments: TopicsArgs) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    match arguments.command {
        TopicsCommand::Apply(arguments) => {
            let (config, names) = read_config(&arguments).map_err(host::StartupError::from)?;
            runtime.block_on(apply_topics(&arguments, &config, &names))
        }
        TopicsCommand::Bind(arguments) => runtime.block_on(bind_trades_topic(arguments)),
    }
}

/// Binds the topic `trades` to a database, and prints what it was bound to.
async fn bind_trades_topic(arguments: BindTopicsArgs) -> anyhow::Result<ExitCode> {
    let read = || {
        let mut reader = ErrorCollectingConfigReader::load(arguments.config.as_deref())?;
        ignore_server_sections_except(&mut reader, &["kafka", "timescaledb"]);
        let config = arguments.kafka.read(&mut reader);
        let names = arguments.names.read(&mut reader);
        let timescaledb = arguments.timescaledb.read_required(&mut reader);
        reader.finish_with(timescaledb.map(|timescaledb| (config, names, timescaledb)))
    };
    let (config, names, timescaledb) = read().map_err(host::StartupError::from)?;
    let store = TimescaleBarStore::open(timescaledb).await?;
    let client = KafkaClient::create(config)?;
    let topic = client
        .request_topic(&names.full_name(schemas::TRADES))
        .await?;
    let before = rebind_topic(&topic, &store).await?;
    match before {
        Some(before) => println!("{} was folded into {before}", topic.name()),
        None => println!("{} was bound to no database", topic.name()),
    }
    println!("it is bound to {} now", store.label());
    kafka::drop_clients((topic, client), &SystemClock).await;
    Ok(ExitCode::SUCCESS)
}

fn read_config(
    arguments: &ApplyTopicsArgs,
) -> Result<(KafkaConfig, TopicNames), host::ConfigErrors> {
    let mut reader = ErrorCollectingConfigReader::load(arguments.config.as_deref())?;
    ignore_server_sections_except(&mut reader, &["kafka"]);
    let config = arguments.kafka.clone().read(&mut reader);
    let names = arguments.names.clone().read(&mut reader);
    reader.finish()?;
    Ok((config, names))
}

async fn apply_topics(
    arguments: &ApplyTopicsArgs,
    config: &KafkaConfig,
    names: &TopicNames,
) -> anyhow::Result<ExitCode> {
    let specs = topic_specs(names, arguments.partitions, arguments.replication);
    let plan = plan_topics(config, &specs).await?;
    print!(
        "{}",
        format_topic_plan(plan.missing_topics(), plan.drifts())
    );
    if arguments.dry_run {
        let is_empty = plan.missing_topics().is_empty()
            && plan
                .drifts()
                .iter()
                .all(|drift| drift.change == TopicDriftAction::Left);
        return Ok(ExitCode::from(u8::from(!is_empty)));
    }
    plan.apply().await?;
    println!("the topics are applied");
    Ok(ExitCode::SUCCESS)
}

/// Formats what would be done, a line for each topic or setting.
fn format_topic_plan(creates: &[TopicSpec], drifts: &[TopicDrift]) -> String {
    let columns = ["topic", "setting", "is", "should be", "apply"];
    let mut table = TextTable::with_header(columns.map(|name| (name, Align::Left)));
    for spec in creates {
        let should = format!(
            "{} partitions on {} brokers",
            spec.partitions, spec.replication
        );
        table.push_row([spec.name.as_str(), "", "missing", &should, "make"]);
    }
    for TopicDrift {
        topic,
        setting,
        actual,
        expected,
        change,
    } in drifts
    {
        table.push_row([topic.as_str(), setting, actual, expected, change.as_str()]);
    }
    match creates.is_empty() && drifts.is_empty() {
        true => "all topics are as they should be\n".to_owned(),
        false => table.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_topics_and_drifts_are_a_table() {
        let missing = TopicSpec {
            name: "trades".to_owned(),
            partitions: 24,
            replication: 3,
            settings: Vec::new(),
        };
        let drift = TopicDrift {
            topic: "bar-updates".to_owned(),
            setting: "partitions".to_owned(),
            actual: "12".to_owned(),
            expected: "24".to_owned(),
            change: TopicDriftAction::Left,
        };
        let expected = format!(
            "\
topic        setting     is       should be                   apply
trades                   missing  24 partitions on 3 brokers  make
bar-updates  partitions  12       24                          {}
",
            TopicDriftAction::Left.as_str()
        );
        assert_eq!(format_topic_plan(&[missing], &[drift]), expected);
        assert_eq!(
            format_topic_plan(&[], &[]),
            "all topics are as they should be\n"
        );
    }
}
