//! Making topics, and finding where those that exist are not as they should be.

mod drift;
mod remove;

use std::collections::BTreeMap;
use std::sync::Arc;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::FromClientConfig as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use tokio::task::spawn_blocking;

pub use self::drift::{TopicChange, TopicDrift};
pub use self::remove::remove_topics;
use super::complaint::Complaints;
use super::native::{self, Admin};
use super::{KafkaConfig, failure};
use eventlog::LogError;

/// How a topic should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// Its name.
    pub name: String,
    /// How many partitions it has; they never change.
    pub partitions: u32,
    /// How many brokers hold each of them.
    pub replication: u32,
    /// Kafka's settings of the topic, by name.
    pub settings: Vec<(String, String)>,
}

/// How a topic is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Existing {
    partitions: u32,
    replication: u32,
    settings: BTreeMap<String, String>,
}

/// What has to be done for the topics to be as they should.
pub struct TopicPlan {
    admin: Admin,
    /// Why nobody answers it.
    complaints: Complaints,
    config: KafkaConfig,
    creates: Vec<TopicSpec>,
    drifts: Vec<TopicDrift>,
}

/// Compares the topics with how they should be; changes nothing.
///
/// # Errors
/// [`LogError::Unavailable`] where the brokers do not answer, [`LogError::Refused`] where they
/// refuse, or are too few for the replication of a topic that is to be made.
pub async fn plan_topics(config: &KafkaConfig, specs: &[TopicSpec]) -> Result<TopicPlan, LogError> {
    let refused = |reason: String| LogError::Refused {
        topic: "Kafka".to_owned(),
        reason,
    };
    let client = config.admin().map_err(|error| refused(error.to_string()))?;
    let admin = AdminClient::<DefaultClientContext>::from_config(&client);
    let admin = Arc::new(admin.map_err(|error| refused(error.to_string()))?);
    let mut plan = TopicPlan {
        admin,
        complaints: Complaints::default(),
        config: config.clone(),
        creates: Vec::new(),
        drifts: Vec::new(),
    };
    for spec in specs {
        let (existing, brokers) = plan.find(&spec.name).await?;
        match existing {
            Some(existing) => plan.drifts.extend(drift::compare(spec, &existing)),
            None if spec.replication > brokers => {
                return Err(LogError::Refused {
                    topic: spec.name.clone(),
                    reason: format!(
                        "it is to be on {} brokers and there are {brokers}; choose --replication",
                        spec.replication
                    ),
                });
            }
            None => plan.creates.push(spec.clone()),
        }
    }
    Ok(plan)
}

impl TopicPlan {
    /// The topics that are missing.
    #[must_use]
    pub fn creates(&self) -> &[TopicSpec] {
        &self.creates
    }

    /// Where topics that exist are not as they should be.
    #[must_use]
    pub fn drifts(&self) -> &[TopicDrift] {
        &self.drifts
    }

    /// Makes the topics that are missing, and changes the settings that may be changed.
    ///
    /// # Errors
    /// [`LogError::Refused`], before anything is done, where a topic has other partitions than
    /// it should; and what the brokers say.
    pub async fn apply(&self) -> Result<(), LogError> {
        if let Some(drift) = self
            .drifts
            .iter()
            .find(|drift| drift.change == TopicChange::Refused)
        {
            return Err(LogError::Refused {
                topic: drift.topic.clone(),
                reason: format!(
                    "it has {} partitions and {} are asked for; a topic keeps its partitions, \
                     since keys would move between them: ask for {0}, or delete the topic",
                    drift.is, drift.should
                ),
            });
        }
        for spec in &self.creates {
            self.create(spec).await?;
        }
        let mut changes: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for drift in &self.drifts {
            if drift.change == TopicChange::Set {
                let setting = (drift.setting.clone(), drift.should.clone());
                changes.entry(&drift.topic).or_default().push(setting);
            }
        }
        for (topic, settings) in changes {
            self.change(topic, settings).await?;
        }
        Ok(())
    }

    async fn create(&self, spec: &TopicSpec) -> Result<(), LogError> {
        let number = |number| {
            i32::try_from(number).map_err(|_| LogError::Refused {
                topic: spec.name.clone(),
                reason: format!("{number} is beyond what Kafka counts"),
            })
        };
        let replication = TopicReplication::Fixed(number(spec.replication)?);
        let mut topic = NewTopic::new(&spec.name, number(spec.partitions)?, replication);
        for (setting, value) in &spec.settings {
            topic = topic.set(setting, value);
        }
        let made = self.admin.create_topics([&topic], &self.options()).await;
        match made
            .map_err(|error| failure::of_error(&spec.name, &error))?
            .pop()
        {
            // Somebody else made it meanwhile.
            Some(Err((_, Code::TopicAlreadyExists))) | None | Some(Ok(_)) => Ok(()),
            Some(Err((_, code))) => Err(failure::of(&spec.name, code)),
        }
    }

    async fn change(&self, topic: &str, settings: Vec<(String, String)>) -> Result<(), LogError> {
        let (admin, name) = (self.admin.clone(), topic.to_owned());
        let patience = self.config.request_timeout;
        let change =
            spawn_blocking(move || native::change_settings(&admin, &name, &settings, patience));
        let changed = change.await.unwrap_or(Err(Code::Interrupted));
        changed.map_err(|code| failure::of(topic, code))
    }

    fn options(&self) -> AdminOptions {
        let patience = self.config.request_timeout;
        AdminOptions::new()
            .request_timeout(Some(patience))
            .operation_timeout(Some(patience))
    }

    /// The topic as it is, if it is there, and how many brokers there are.
    async fn find(&self, name: &str) -> Result<(Option<Existing>, u32), LogError> {
        let (admin, topic) = (self.admin.clone(), name.to_owned());
        let patience = self.config.request_timeout;
        let asked = spawn_blocking(move || layout(&admin, &topic, patience)).await;
        let layout = asked.map_err(|error| LogError::Unavailable {
            topic: name.to_owned(),
            reason: format!("nobody asked: {error}"),
        })?;
        let Layout {
            brokers,
            partitions,
            replication,
        } = layout.map_err(|error| self.unanswered(name, &error))?;
        if partitions == 0 {
            return Ok((None, brokers));
        }
        let existing = Existing {
            partitions,
            replication,
            settings: self.settings(name).await?,
        };
        Ok((Some(existing), brokers))
    }

    /// The error for a question; why nobody answered it, the client has said apart.
    fn unanswered(&self, topic: &str, error: &KafkaError) -> LogError {
        native::hear(&self.admin, &self.complaints);
        self.complaints.explain_error(topic, error)
    }

    async fn settings(&self, name: &str) -> Result<BTreeMap<String, String>, LogError> {
        let asked = [ResourceSpecifier::Topic(name)];
        let answered = self.admin.describe_configs(&asked, &self.options()).await;
        let mut settings = BTreeMap::new();
        for resource in answered.map_err(|error| self.unanswered(name, &error))? {
            let resource = resource.map_err(|code| failure::of(name, code))?;
            let values = resource.entries.into_iter();
            settings.extend(values.filter_map(|entry| Some((entry.name, entry.value?))));
        }
        Ok(settings)
    }
}

/// How a topic lies on the brokers; without partitions there is none.
struct Layout {
    brokers: u32,
    partitions: u32,
    replication: u32,
}

fn layout(admin: &Admin, topic: &str, patience: std::time::Duration) -> Result<Layout, KafkaError> {
    let metadata = admin.inner().fetch_metadata(Some(topic), patience)?;
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    let partitions = found.map_or(&[][..], |found| found.partitions());
    let replicas = partitions
        .iter()
        .map(|partition| partition.replicas().len());
    Ok(Layout {
        brokers: count(metadata.brokers().len()),
        partitions: count(partitions.len()),
        replication: count(replicas.min().unwrap_or(0)),
    })
}
