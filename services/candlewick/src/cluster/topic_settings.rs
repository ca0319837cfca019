//! Watching the settings of topics, without which records are lost or reordered.

use std::convert::Infallible;
use std::future::Future;
use std::time::Duration;

use clock::{Clock, SystemClock};
use connect::{TopicNames, topic_specs};
use eventlog::Log;
use host::HealthComponent;
use kafka::{KafkaConfig, TopicChecker, TopicDrift, TopicSpec};

use super::topics::OpenTopic;

/// The time between two checks.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// Checks the settings and partitions of topics as long as the process runs.
pub(super) struct TopicSettingsWatch {
    checker: TopicChecker,
    specs: Vec<TopicSpec>,
    component: HealthComponent,
}

impl TopicSettingsWatch {
    /// Returns the watch of topics, each with the name under which the stores know it. The
    /// component is not ready before the first check.
    pub(super) fn new(
        kafka: &KafkaConfig,
        names: &TopicNames,
        topics: &[(&str, &OpenTopic)],
        component: HealthComponent,
    ) -> anyhow::Result<Self> {
        let specs = topics.iter().flat_map(|(name, open)| {
            let full_name = names.full_name(name);
            let specs = topic_specs(
                names,
                open.log.partition_count(),
                schemas::DEFAULT_REPLICATION,
            );
            specs.into_iter().filter(move |spec| spec.name == full_name)
        });
        Ok(Self {
            checker: TopicChecker::new(kafka)?,
            specs: specs.collect(),
            component,
        })
    }

    /// Runs another task that never ends next to the watch.
    pub(super) async fn run_with(&self, other: impl Future<Output = Infallible>) -> Infallible {
        tokio::select! {
            never = self.run() => never,
            never = other => never,
        }
    }

    /// Checks the topics for ever. The component is not ready as long as one of them loses or
    /// reorders records; it says which, and the remedy.
    async fn run(&self) -> Infallible {
        let mut reported = String::new();
        loop {
            match self.find_unsafe_drifts().await {
                Ok(drifts) => {
                    let explanations: Vec<_> =
                        drifts.iter().map(TopicDrift::explain_as_unsafe).collect();
                    let reason = explanations.join("; ");
                    match reason.is_empty() {
                        true => self.component.ready(),
                        false => self.component.not_ready(&reason),
                    }
                    if reason != reported && !reason.is_empty() {
                        tracing::error!(reason, "a topic loses or reorders records");
                    }
                    reported = reason;
                }
                // Whether the brokers answer, and which rights are missing, is reported elsewhere.
                Err(error) if error.is_transient() => {}
                Err(error) => {
                    let reason = format!("the settings of the topics cannot be checked: {error}");
                    self.component.not_ready(reason);
                }
            }
            SystemClock.sleep(CHECK_INTERVAL).await;
        }
    }

    async fn find_unsafe_drifts(&self) -> Result<Vec<TopicDrift>, eventlog::LogError> {
        let mut drifts = Vec::new();
        for spec in &self.specs {
            drifts.extend(self.checker.find_unsafe_drifts(spec).await?);
        }
        Ok(drifts)
    }
}
