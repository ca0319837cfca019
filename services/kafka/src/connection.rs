//! A connection to Kafka, with the producer that all topics share.

use std::sync::Arc;
use std::time::Duration;

use eventlog::LogError;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::producer::Producer as _;
use tokio::task::spawn_blocking;

use crate::config::KafkaConfig;
use crate::connection_error::LastConnectionError;
use crate::delivery::{PendingBytes, ProducerCallbacks};
use crate::maintenance;
use crate::native::{self, ProducerClient, TopicDescription};

/// What the producer is called in the log.
const PRODUCER_NAME: &str = "the producer";

/// A connection to Kafka, with one producer for all topics. Cheap to clone.
///
/// Its async functions must run within a Tokio runtime.
#[derive(Clone)]
pub struct KafkaClient {
    connection: Arc<SharedKafkaClientState>,
}

/// What the clones of a connection share.
struct SharedKafkaClientState {
    config: KafkaConfig,
    producer: ProducerClient,
    pending_bytes: Arc<PendingBytes>,
}

impl KafkaClient {
    /// Creates the producer, without waiting for brokers. The first request to them is made by
    /// [`KafkaClient::request_topic`].
    ///
    /// # Errors
    /// [`LogError::Refused`] if librdkafka cannot use the configuration. [`KafkaConfig::errors`]
    /// returns the errors that can be found without creating a client.
    pub fn create(config: KafkaConfig) -> Result<Self, LogError> {
        let refused = |reason| LogError::Refused {
            topic: "Kafka".to_owned(),
            reason,
        };
        let client = config
            .producer_client_config()
            .map_err(|error| refused(error.to_string()))?;
        let producer =
            ProducerClient::from_config_and_context(&client, ProducerCallbacks::default())
                .map_err(|error| refused(error.to_string()))?;
        Ok(Self {
            connection: Arc::new(SharedKafkaClientState {
                config,
                producer,
                pending_bytes: Arc::default(),
            }),
        })
    }

    /// Returns an error if nothing can be appended any more, because the producer refuses every
    /// append after a fatal error. Makes no request to the brokers.
    ///
    /// # Errors
    /// [`LogError::Refused`] if the process must be restarted before it can append.
    pub fn check_no_fatal_producer_error(&self) -> Result<(), LogError> {
        self.fatal_producer_error("Kafka").map_or(Ok(()), Err)
    }

    /// Returns the fatal error of the producer, which all topics share, as an error for `topic`, or
    /// `None` if it has met none.
    pub(crate) fn fatal_producer_error(&self, topic: &str) -> Option<LogError> {
        let (_, reason) = self.connection.producer.client().fatal_error()?;
        Some(LogError::Refused {
            topic: topic.to_owned(),
            reason: format!("the producer cannot continue: {reason}; restart the process"),
        })
    }

    pub(crate) fn config(&self) -> &KafkaConfig {
        &self.connection.config
    }

    pub(crate) fn producer(&self) -> &ProducerClient {
        &self.connection.producer
    }

    /// Returns the bytes of all topics that are not yet acknowledged.
    pub(crate) fn pending_bytes(&self) -> &Arc<PendingBytes> {
        &self.connection.pending_bytes
    }

    /// Requests the description of a topic from the brokers.
    pub(crate) async fn describe_topic(&self, name: &str) -> Result<TopicDescription, Code> {
        let (kafka, name) = (self.clone(), name.to_owned());
        let describe = move || {
            let timeout = kafka.config().request_timeout;
            let described = native::describe_topic(kafka.producer(), &name, timeout);
            match described {
                Ok(_) => kafka.last_connection_error().clear(),
                Err(_) => kafka.repair_producer_connection(),
            }
            described
        };
        spawn_blocking(describe)
            .await
            .unwrap_or(Err(Code::Interrupted))
    }

    /// Returns the identifier of the cluster, or `None` if the brokers do not answer in time.
    pub(crate) async fn request_cluster_id(&self) -> Option<String> {
        let kafka = self.clone();
        let fetch = move || {
            let timeout = kafka.config().request_timeout;
            kafka.producer().client().fetch_cluster_id(timeout)
        };
        spawn_blocking(fetch).await.ok().flatten()
    }

    /// Returns what the producer reported about its connections. The producer makes all requests
    /// about topics.
    pub(crate) fn last_connection_error(&self) -> &LastConnectionError {
        self.producer().client().context().last_connection_error()
    }

    /// Reloads the producer's password if it was refused, and adds the configured brokers again if
    /// the producer has lost them.
    pub(crate) fn repair_producer_connection(&self) {
        maintenance::repair_client_connection(
            self.config(),
            PRODUCER_NAME,
            self.producer(),
            self.last_connection_error(),
        );
    }

    /// Waits until every append has been acknowledged by the brokers or has failed.
    pub(crate) fn flush(&self) {
        let timeout = self.config().delivery_timeout + Duration::from_secs(1);
        if let Err(error) = self.producer().flush(timeout) {
            tracing::warn!(%error, "some appends were not acknowledged");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_producer_with_a_fatal_error_returns_it() {
        let config = KafkaConfig {
            brokers: "127.0.0.1:1".to_owned(),
            ..KafkaConfig::default()
        };
        let kafka = KafkaClient::create(config).unwrap();
        // Brokers that do not answer are no fatal error.
        assert_eq!(kafka.check_no_fatal_producer_error(), Ok(()));
        native::inject_fatal_error(kafka.producer(), c"out of sequence");
        let error = kafka.check_no_fatal_producer_error().unwrap_err();
        assert!(!error.is_transient(), "{error}");
        let text = error.to_string();
        assert!(
            text.contains("out of sequence") && text.ends_with("restart the process"),
            "{text}"
        );
    }
}
