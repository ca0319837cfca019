//! Requests about topics.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use eventlog::LogError;
use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::FromClientConfig as _;
use rdkafka::error::KafkaError;
use tokio::task::spawn_blocking;

use super::layout::{TopicLayout, fetch_layout};
use super::spec::ExistingTopic;
use crate::config::KafkaConfig;
use crate::connection_error::{LastConnectionError, is_unanswered_request};
use crate::error_mapping;
use crate::native::{self, AdminHandle};

/// Creates a client for requests about topics. Makes no request to the brokers.
///
/// # Errors
/// [`LogError::Refused`] if the configuration is not one that librdkafka accepts.
pub(crate) fn create_admin_client(
    config: &KafkaConfig,
) -> Result<AdminClient<DefaultClientContext>, LogError> {
    let refused = |reason: String| LogError::Refused {
        topic: "Kafka".to_owned(),
        reason,
    };
    let client = config
        .admin_client_config()
        .map_err(|error| refused(error.to_string()))?;
    AdminClient::from_config(&client).map_err(|error| refused(error.to_string()))
}

/// A client that makes requests about topics.
pub(super) struct TopicAdmin {
    admin: AdminHandle,
    last_connection_error: LastConnectionError,
    config: KafkaConfig,
}

impl TopicAdmin {
    /// Creates the client. Makes no request to the brokers.
    pub(super) fn new(config: &KafkaConfig) -> Result<Self, LogError> {
        Ok(Self {
            admin: Arc::new(create_admin_client(config)?),
            last_connection_error: LastConnectionError::default(),
            config: config.clone(),
        })
    }

    pub(super) const fn client(&self) -> &AdminHandle {
        &self.admin
    }

    pub(super) const fn request_timeout(&self) -> Duration {
        self.config.request_timeout
    }

    pub(super) fn request_options(&self) -> AdminOptions {
        let timeout = self.config.request_timeout;
        AdminOptions::new()
            .request_timeout(Some(timeout))
            .operation_timeout(Some(timeout))
    }

    /// Returns the topic, if it exists, and the number of brokers.
    pub(super) async fn find_existing_topic_and_broker_count(
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
        } = layout.map_err(|error| self.explain_error_and_repair_client(name, &error))?;
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
        for resource in
            described.map_err(|error| self.explain_error_and_repair_client(name, &error))?
        {
            let resource =
                resource.map_err(|code| error_mapping::log_error_from_code(name, code))?;
            let values = resource.entries.into_iter();
            settings.extend(values.filter_map(|entry| Some((entry.name, entry.value?))));
        }
        Ok(settings)
    }

    /// Returns the error of a request. If no broker answered, it contains the reason that the
    /// client reported separately, and the client is given the configured brokers again: it may
    /// know none any more ([`crate::maintenance`]).
    fn explain_error_and_repair_client(&self, topic: &str, error: &KafkaError) -> LogError {
        native::collect_connection_errors(&self.admin, &self.last_connection_error);
        if is_unanswered_request(error) {
            native::add_brokers(&self.admin, &self.config.brokers);
        }
        self.last_connection_error.explain_error(topic, error)
    }
}
