//! Deleting topics, which no role ever does.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::FromClientConfig as _;
use rdkafka::error::RDKafkaErrorCode as Code;

use crate::{KafkaConfig, failure};
use eventlog::LogError;

/// How long the brokers may take: deleting is more work for them than a question.
const PATIENCE: Duration = Duration::from_secs(60);

/// Deletes topics with all that they hold; those that are not there count as deleted.
///
/// # Errors
/// [`LogError`], for the first topic that the brokers do not delete.
pub async fn remove_topics(config: &KafkaConfig, names: &[String]) -> Result<(), LogError> {
    let refused = |reason: String| LogError::Refused {
        topic: "Kafka".to_owned(),
        reason,
    };
    let client = config.admin().map_err(|error| refused(error.to_string()))?;
    let admin = AdminClient::<DefaultClientContext>::from_config(&client)
        .map_err(|error| refused(error.to_string()))?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let options = AdminOptions::new()
        .request_timeout(Some(PATIENCE))
        .operation_timeout(Some(PATIENCE));
    let removed = admin.delete_topics(&names, &options).await;
    for outcome in removed.map_err(|error| failure::of_error("Kafka", &error))? {
        match outcome {
            Ok(_) | Err((_, Code::UnknownTopicOrPartition)) => {}
            Err((topic, code)) => return Err(failure::of(&topic, code)),
        }
    }
    Ok(())
}
