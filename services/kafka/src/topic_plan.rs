//! Creating topics, and finding how existing ones differ from their specifications.

mod admin;
mod check;
mod drift;
mod layout;
mod spec;

use std::collections::BTreeMap;

use eventlog::LogError;
use rdkafka::admin::{NewTopic, TopicReplication};
use rdkafka::error::RDKafkaErrorCode as Code;
use tokio::task::spawn_blocking;

use self::admin::TopicAdmin;
pub(crate) use self::admin::create_admin_client;
use self::drift::find_drifts;
use crate::config::KafkaConfig;
use crate::error_mapping;
use crate::native;

pub use self::check::TopicChecker;
pub use self::drift::{TopicDrift, TopicDriftAction};
pub use self::spec::TopicSpec;

/// What must be done so that the topics are as specified.
pub struct TopicPlan {
    admin: TopicAdmin,
    missing: Vec<TopicSpec>,
    drifts: Vec<TopicDrift>,
}

/// Compares the topics with their specifications. Changes nothing.
///
/// # Errors
/// [`LogError::Unavailable`] if the brokers do not answer, and [`LogError::Refused`] if they refuse
/// the requests, or if there are fewer brokers than the replication of a missing topic needs.
pub async fn plan_topics(config: &KafkaConfig, specs: &[TopicSpec]) -> Result<TopicPlan, LogError> {
    let mut plan = TopicPlan {
        admin: TopicAdmin::new(config)?,
        missing: Vec::new(),
        drifts: Vec::new(),
    };
    for spec in specs {
        let (existing, brokers) = plan
            .admin
            .find_existing_topic_and_broker_count(&spec.name)
            .await?;
        match existing {
            Some(existing) => plan.drifts.extend(find_drifts(spec, &existing)),
            None if spec.replication > brokers => {
                return Err(LogError::Refused {
                    topic: spec.name.clone(),
                    reason: format!(
                        "each partition needs {} brokers and there are {brokers}; choose \
                         --replication",
                        spec.replication
                    ),
                });
            }
            None => plan.missing.push(spec.clone()),
        }
    }
    Ok(plan)
}

impl TopicPlan {
    /// Returns the topics that do not exist.
    #[must_use]
    pub fn missing_topics(&self) -> &[TopicSpec] {
        &self.missing
    }

    /// Returns how existing topics differ from their specifications.
    #[must_use]
    pub fn drifts(&self) -> &[TopicDrift] {
        &self.drifts
    }

    /// Creates the missing topics, and changes the settings that may be changed.
    ///
    /// # Errors
    /// [`LogError::Refused`], before anything is changed, if the number of partitions of a topic
    /// differs from its specification; otherwise the error of the first request that fails.
    pub async fn apply(&self) -> Result<(), LogError> {
        if let Some(drift) = self
            .drifts
            .iter()
            .find(|drift| drift.change == TopicDriftAction::Refused)
        {
            return Err(LogError::Refused {
                topic: drift.topic.clone(),
                reason: format!(
                    "it has {} partitions and {} are specified; a topic keeps its partitions, \
                     because keys would move between them: specify {0}, or delete the topic",
                    drift.actual, drift.expected
                ),
            });
        }
        for spec in &self.missing {
            self.create_topic(spec).await?;
        }
        let mut changes: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for drift in &self.drifts {
            if drift.change == TopicDriftAction::Set {
                let setting = (drift.setting.clone(), drift.expected.clone());
                changes.entry(&drift.topic).or_default().push(setting);
            }
        }
        for (topic, settings) in changes {
            self.apply_settings(topic, settings).await?;
        }
        Ok(())
    }

    async fn create_topic(&self, spec: &TopicSpec) -> Result<(), LogError> {
        let to_i32 = |number| {
            i32::try_from(number).map_err(|_| LogError::Refused {
                topic: spec.name.clone(),
                reason: format!("{number} is more than Kafka can number"),
            })
        };
        let replication = TopicReplication::Fixed(to_i32(spec.replication)?);
        let mut topic = NewTopic::new(&spec.name, to_i32(spec.partitions)?, replication);
        for (setting, value) in &spec.settings {
            topic = topic.set(setting, value);
        }
        let options = self.admin.request_options();
        let created = self.admin.client().create_topics([&topic], &options).await;
        match created
            .map_err(|error| error_mapping::log_error_from_kafka_error(&spec.name, &error))?
            .pop()
        {
            // Another process may have created it meanwhile.
            Some(Err((_, Code::TopicAlreadyExists))) | None | Some(Ok(_)) => Ok(()),
            Some(Err((_, code))) => Err(error_mapping::log_error_from_code(&spec.name, code)),
        }
    }

    async fn apply_settings(
        &self,
        topic: &str,
        settings: Vec<(String, String)>,
    ) -> Result<(), LogError> {
        let (admin, name) = (self.admin.client().clone(), topic.to_owned());
        let timeout = self.admin.request_timeout();
        let change =
            spawn_blocking(move || native::alter_topic_settings(&admin, &name, &settings, timeout));
        let changed = change.await.unwrap_or(Err(Code::Interrupted));
        changed.map_err(|code| error_mapping::log_error_from_code(topic, code))
    }
}
