//! Checking, while a process runs, that a topic neither loses nor reorders records.

use eventlog::LogError;

use super::admin::TopicAdmin;
use super::drift::{TopicDrift, find_drifts};
use super::spec::TopicSpec;
use crate::config::KafkaConfig;

/// Checks that topics have the settings and the partitions without which records are lost or their
/// order changes.
pub struct TopicChecker {
    admin: TopicAdmin,
}

impl TopicChecker {
    /// Creates the client for the requests. Makes no request to the brokers.
    ///
    /// # Errors
    /// [`LogError::Refused`] if the configuration cannot be used.
    pub fn new(config: &KafkaConfig) -> Result<Self, LogError> {
        Ok(Self {
            admin: TopicAdmin::new(config)?,
        })
    }

    /// Returns the differences between a topic and its specification that lose or reorder records.
    /// The number of replicas is not compared.
    ///
    /// # Errors
    /// [`LogError::Unavailable`] if the brokers do not answer, and [`LogError::Refused`] if they
    /// refuse the requests or the topic does not exist.
    pub async fn find_unsafe_drifts(&self, spec: &TopicSpec) -> Result<Vec<TopicDrift>, LogError> {
        let (existing, _) = self
            .admin
            .find_existing_topic_and_broker_count(&spec.name)
            .await?;
        let existing = existing.ok_or_else(|| LogError::Refused {
            topic: spec.name.clone(),
            reason: "the topic does not exist".to_owned(),
        })?;
        let mut drifts = find_drifts(spec, &existing);
        drifts.retain(TopicDrift::is_unsafe);
        Ok(drifts)
    }
}
