//! Creating topics, and finding how existing ones differ from their specifications.

mod drift;
mod layout;
mod spec;

use std::collections::BTreeMap;
use std::sync::Arc;

use eventlog::LogError;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::FromClientConfig as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use tokio::task::spawn_blocking;

use self::drift::find_drifts;
use self::layout::{TopicLayout, fetch_layout};
use self::spec::ExistingTopic;
use crate::config::KafkaConfig;
use crate::connection_error::LastConnectionError;
use crate::error_mapping;
use crate::native::{self, AdminHandle};

pub use self::drift::{TopicDrift, TopicDriftAction};
pub use self::spec::TopicSpec;

/// What must be done so that the topics are as specified.
pub struct TopicPlan {
    admin: AdminHandle,
    last_connection_error: LastConnectionError,
    config: KafkaConfig,
    missing: Vec<TopicSpec>,
    drifts: Vec<TopicDrift>,
}

/// Compares the topics with their specifications. Changes nothing.
///
/// # Errors
/// [`LogError::Unavailable`] if the brokers do not answer, and [`LogError::Refused`] if they refuse
/// the requests, or if there are fewer brokers than the replication of a missing topic needs.
pub async fn plan_topics(config: &KafkaConfig, specs: &[TopicSpec]) -> Result<TopicPlan, LogError> {
    let refused = |reason: String| LogError::Refused {
        topic: "Kafka".to_owned(),
        reason,
    };
    let client = config
        .admin_client_config()
        .map_err(|error| refused(error.to_string()))?;
    let admin = AdminClient::<DefaultClientContext>::from_config(&client);
    let admin = Arc::new(admin.map_err(|error| refused(error.to_string()))?);
    let mut plan = TopicPlan {
        admin,
        last_connection_error: LastConnectionError::default(),
        config: config.clone(),
        missing: Vec::new(),
        drifts: Vec::new(),
    };
    for spec in specs {
        let (existing, brokers) = plan
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
        let created = self
            .admin
            .create_topics([&topic], &self.request_options())
            .await;
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
        let (admin, name) = (self.admin.clone(), topic.to_owned());
        let timeout = self.config.request_timeout;
        let change =
            spawn_blocking(move || native::alter_topic_settings(&admin, &name, &settings, timeout));
        let changed = change.await.unwrap_or(Err(Code::Interrupted));
        changed.map_err(|code| error_mapping::log_error_from_code(topic, code))
    }

    fn request_options(&self) -> AdminOptions {
        let timeout = self.config.request_timeout;
        AdminOptions::new()
            .request_timeout(Some(timeout))
            .operation_timeout(Some(timeout))
    }

    /// Returns the topic, if it exists, and the number of brokers.
    async fn find_existing_topic_and_broker_count(
        &self,
        name: &str,
    ) -> Result<(Option<ExistingTopic>, u32), LogError> {
        let (admin, topic) = (self.admin.clone(), name.to_owned());
        let timeout = self.config.request_timeout;
        let fetched = spawn_blocking(move || fetch_layout(&admin, &topic, timeout)).await;
        let layout = fetched.map_err(|error| LogError::Unavailable {
            topic: name.to_owned(),
            reason: format!("the request was not made: {error}"),
        })?;
        let TopicLayout {
            brokers,
            partitions,
            replication,
        } = layout.map_err(|error| self.request_error(name, &error))?;
        if partitions == 0 {
            return Ok((None, brokers));
        }
        let existing = ExistingTopic {
            partitions,
            replication,
            settings: self.fetch_settings(name).await?,
        };
        Ok((Some(existing), brokers))
    }

    async fn fetch_settings(&self, name: &str) -> Result<BTreeMap<String, String>, LogError> {
        let topics = [ResourceSpecifier::Topic(name)];
        let described = self
            .admin
            .describe_configs(&topics, &self.request_options())
            .await;
        let mut settings = BTreeMap::new();
        for resource in described.map_err(|error| self.request_error(name, &error))? {
            let resource =
                resource.map_err(|code| error_mapping::log_error_from_code(name, code))?;
            let values = resource.entries.into_iter();
            settings.extend(values.filter_map(|entry| Some((entry.name, entry.value?))));
        }
        Ok(settings)
    }

    /// Returns the error of a request. If no broker answered, it contains the reason that the
    /// client reported separately.
    fn request_error(&self, topic: &str, error: &KafkaError) -> LogError {
        native::collect_connection_errors(&self.admin, &self.last_connection_error);
        self.last_connection_error.explain_error(topic, error)
    }
}
