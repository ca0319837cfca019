//! How the topics are called.

use clap::Args;
use host::Layers;

/// The flags of the topics.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Kafka")]
pub struct TopicNameArgs {
    /// What the names of the topics begin with, so that several clusters of Candlewick can share
    /// the brokers: letters, digits, '.', '_' and '-' [default: nothing]
    #[arg(long, value_name = "TEXT")]
    kafka_topic_prefix: Option<String>,
}

/// How the topics are called.
#[derive(Debug, Clone, Default)]
pub struct TopicNames {
    prefix: String,
}

/// Kafka's limit is 249 for a whole name.
const LONGEST: usize = 200;

impl TopicNameArgs {
    /// Reads the section `[topics]`; errors are collected in `layers`.
    pub fn read(self, layers: &mut Layers) -> TopicNames {
        let prefix = layers.parse_with(
            "kafka.topic_prefix",
            self.kafka_topic_prefix,
            "up to 200 letters, digits, '.', '_' and '-'",
            |text| {
                let is_legal =
                    |one: char| one.is_ascii_alphanumeric() || matches!(one, '.' | '_' | '-');
                match text.chars().all(is_legal) && text.len() <= LONGEST {
                    true => Ok(text.to_owned()),
                    false => Err(""),
                }
            },
        );
        TopicNames {
            prefix: prefix.unwrap_or_default(),
        }
    }
}

impl TopicNames {
    /// Names that begin so.
    pub fn with_prefix(prefix: impl Into<String>) -> Self {
        Self {
            prefix: prefix.into(),
        }
    }

    /// What the brokers call a topic.
    pub fn full_name(&self, topic: &str) -> String {
        format!("{}{topic}", self.prefix)
    }
}
