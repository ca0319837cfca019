//! `candlewick topics`: the topics of Kafka, made and compared.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use host::ConfigReader;
use kafka::{KafkaConfig, TopicChange, TopicDrift, TopicPlan, plan_topics};

use connect::{KafkaArgs, TopicNameArgs, TopicNames, ignore_all_but, topic_specs};

/// Makes the topics of a cluster, and finds where those that exist are not as they should be.
#[derive(Debug, Args)]
pub(crate) struct TopicsArgs {
    #[command(subcommand)]
    command: TopicsCommand,
}

#[derive(Debug, Subcommand)]
enum TopicsCommand {
    /// Make the topics that are missing, and set the settings that can be set without harm.
    /// Partitions never change, records are never dropped, replicas are never moved
    Apply(ApplyArgs),
}

#[derive(Debug, Args)]
struct ApplyArgs {
    /// Only say what would be done; exit status 1 where anything would
    #[arg(long)]
    dry_run: bool,
    /// How many partitions each topic has
    #[arg(long, value_name = "N", default_value_t = schemas::DEFAULT_PARTITIONS,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    partitions: u32,
    /// How many brokers keep each partition
    #[arg(long, value_name = "N", default_value_t = schemas::DEFAULT_REPLICATION,
          value_parser = clap::value_parser!(u32).range(1..=32))]
    replication: u32,
    /// A TOML file with the settings of Kafka
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    kafka: KafkaArgs,
    #[command(flatten)]
    names: TopicNameArgs,
}

/// Does it, and prints what was done.
pub(crate) fn run(arguments: TopicsArgs) -> anyhow::Result<ExitCode> {
    let TopicsCommand::Apply(arguments) = arguments.command;
    let (config, names) = config(&arguments).map_err(host::Error::from)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    runtime.block_on(apply(&arguments, &config, &names))
}

fn config(arguments: &ApplyArgs) -> Result<(KafkaConfig, TopicNames), host::ConfigErrors> {
    let mut reader = ConfigReader::load(arguments.config.as_deref())?;
    ignore_all_but(&mut reader, &["kafka"]);
    let config = arguments.kafka.clone().read(&mut reader);
    let names = arguments.names.clone().read(&mut reader);
    reader.finish()?;
    Ok((config, names))
}

async fn apply(
    arguments: &ApplyArgs,
    config: &KafkaConfig,
    names: &TopicNames,
) -> anyhow::Result<ExitCode> {
    let specs = topic_specs(names, arguments.partitions, arguments.replication);
    let plan = plan_topics(config, &specs).await?;
    print!("{}", table(&plan));
    if arguments.dry_run {
        let does_nothing = plan.creates().is_empty()
            && plan
                .drifts()
                .iter()
                .all(|drift| drift.change == TopicChange::Left);
        return Ok(ExitCode::from(u8::from(!does_nothing)));
    }
    plan.apply().await?;
    println!("the topics are applied");
    Ok(ExitCode::SUCCESS)
}

/// What would be done, a line for each topic or setting.
fn table(plan: &TopicPlan) -> String {
    let mut rows = Vec::new();
    for spec in plan.creates() {
        let should = format!(
            "{} partitions on {} brokers",
            spec.partitions, spec.replication
        );
        rows.push([spec.name.as_str(), "", "missing", &should, "make"].map(str::to_owned));
    }
    for TopicDrift {
        topic,
        setting,
        is,
        should,
        change,
    } in plan.drifts()
    {
        rows.push([topic, setting, is, should, change.as_str()].map(str::to_owned));
    }
    if rows.is_empty() {
        return "all topics are as they should be\n".to_owned();
    }
    rows.insert(
        0,
        ["topic", "setting", "is", "should be", "apply"].map(str::to_owned),
    );
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: [usize; 5] = std::array::from_fn(width);
    let line = |row: &[String; 5]| {
        let cells = row.iter().zip(widths);
        let cells: Vec<_> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}
