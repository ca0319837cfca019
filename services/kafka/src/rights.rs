//! What the user of this process may do with a topic.

use eventlog::LogError;

use crate::config::KafkaConfig;
use crate::topic::KafkaTopic;

/// A right on a topic, which Kafka calls an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicRight {
    /// Fetching records.
    Read,
    /// Appending records.
    Write,
    /// Requesting the partitions and their ends. `Read` and `Write` include it.
    Describe,
    /// Requesting the settings.
    DescribeConfigs,
}

impl TopicRight {
    /// Returns the name that Kafka's tools use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "Read",
            Self::Write => "Write",
            Self::Describe => "Describe",
            Self::DescribeConfigs => "DescribeConfigs",
        }
    }
}

impl KafkaTopic {
    /// Checks that the user of this process has rights on the topic. Brokers without an authorizer
    /// grant all of them.
    ///
    /// # Errors
    /// [`LogError::Denied`] if it lacks some, with the command that grants them; other errors if
    /// the brokers do not answer.
    pub async fn check_rights(&self, needed: &[TopicRight]) -> Result<(), LogError> {
        let described = self.kafka().describe_topic(self.name()).await;
        let described = described.map_err(|code| {
            let connection = self.kafka().last_connection_error();
            connection.explain_code(self.name(), code)
        })?;
        self.check_granted_rights(described.rights.as_deref(), needed)
    }

    /// Returns [`LogError::Denied`] if one of the rights `needed` is not among those that the
    /// brokers have granted. Brokers without an authorizer name none.
    pub(crate) fn check_granted_rights(
        &self,
        authorizer_rights: Option<&[TopicRight]>,
        needed: &[TopicRight],
    ) -> Result<(), LogError> {
        let Some(granted) = authorizer_rights else {
            return Ok(());
        };
        let is_missing = |right: &&TopicRight| !granted.contains(right);
        let missing: Vec<_> = needed.iter().filter(is_missing).copied().collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(LogError::Denied {
            topic: self.name().to_owned(),
            reason: explain_missing_rights(self.kafka().config(), self.name(), &missing),
        })
    }
}

/// Returns which rights are missing, and the command that grants them.
fn explain_missing_rights(config: &KafkaConfig, topic: &str, missing: &[TopicRight]) -> String {
    let names: Vec<_> = missing.iter().map(|right| right.as_str()).collect();
    let principal = match &config.security.username {
        Some(user) => format!("User:{user}"),
        None => "User:NAME".to_owned(),
    };
    let operations: Vec<_> = names
        .iter()
        .map(|name| format!("--operation {name}"))
        .collect();
    format!(
        "the user of this process lacks {} on it; `kafka-acls.sh --bootstrap-server {} --add \
         --allow-principal {principal} {} --topic {topic}` grants that, and docs/rights.md lists \
         all rights that a role needs",
        names.join(" and "),
        config.brokers,
        operations.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_rights_are_named_with_the_command_that_grants_them() {
        let mut config = KafkaConfig {
            brokers: "kafka:9092".to_owned(),
            ..KafkaConfig::default()
        };
        config.security.username = Some("aggregator".to_owned());
        let missing = [TopicRight::Read, TopicRight::DescribeConfigs];
        let text = explain_missing_rights(&config, "eu.trades", &missing);
        for part in [
            "lacks Read and DescribeConfigs",
            "--bootstrap-server kafka:9092",
            "--allow-principal User:aggregator",
            "--operation Read --operation DescribeConfigs --topic eu.trades",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }
}
