//! The names of the topics.

use clap::Args;
use host::ErrorCollectingConfigReader;

/// The flags of the topics.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Kafka")]
pub struct TopicPrefixArgs {
    /// What the names of the topics begin with, so that several clusters of Candlewick can share
    /// the brokers: letters, digits, '.', '_' and '-'; empty if it is not set
    #[arg(long, value_name = "TEXT")]
    kafka_topic_prefix: Option<String>,
}

/// The names of the topics.
#[derive(Debug, Clone, Default)]
pub struct TopicNames {
    prefix: String,
}

/// The greatest length of a prefix. The limit of Kafka for a whole name is 249.
const MAX_PREFIX_LENGTH: usize = 200;

impl TopicPrefixArgs {
    /// Reads the prefix of the topics; errors are collected in `reader`.
    pub fn read(self, reader: &mut ErrorCollectingConfigReader) -> TopicNames {
        let prefix = reader.parse_or(
            "kafka.topic_prefix",
            self.kafka_topic_prefix,
            "up to 200 letters, digits, '.', '_' and '-'",
            |text| {
                let is_legal =
                    |one: char| one.is_ascii_alphanumeric() || matches!(one, '.' | '_' | '-');
                match text.chars().all(is_legal) && text.len() <= MAX_PREFIX_LENGTH {
                    true => Ok(text.to_owned()),
                    false => Err(""),
                }
            },
            String::new(),
        );
        TopicNames { prefix }
    }
}

impl TopicNames {
    /// Returns the names that begin with a prefix.
    pub fn with_prefix(prefix: impl Into<String>) -> Self {
        Self {
            prefix: prefix.into(),
        }
    }

    /// Returns the name of a topic on the brokers: the prefix and the topic's own name.
    pub fn full_name(&self, topic: &str) -> String {
        format!("{}{topic}", self.prefix)
    }
}
