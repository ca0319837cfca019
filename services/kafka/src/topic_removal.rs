//! Deleting topics. No role does this.

use std::time::Duration;

use eventlog::LogError;
use rdkafka::admin::AdminOptions;
use rdkafka::error::RDKafkaErrorCode as Code;

use crate::config::KafkaConfig;
use crate::error_mapping;
use crate::topic_plan::create_admin_client;

/// How long the brokers may take, which is longer than for other requests.
const DELETE_TIMEOUT: Duration = Duration::from_secs(60);

/// Deletes topics with all their records. A topic that does not exist counts as deleted.
///
/// # Errors
/// A [`LogError`] for the first topic that the brokers do not delete.
pub async fn remove_topics(config: &KafkaConfig, names: &[String]) -> Result<(), LogError> {
    let admin = create_admin_client(config)?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let options = AdminOptions::new()
        .request_timeout(Some(DELETE_TIMEOUT))
        .operation_timeout(Some(DELETE_TIMEOUT));
    let results = admin.delete_topics(&names, &options).await;
    let results =
        results.map_err(|error| error_mapping::log_error_from_kafka_error("Kafka", &error))?;
    for result in results {
        match result {
            Ok(_) | Err((_, Code::UnknownTopicOrPartition)) => {}
            Err((topic, code)) => return Err(error_mapping::log_error_from_code(&topic, code)),
        }
    }
    Ok(())
}
