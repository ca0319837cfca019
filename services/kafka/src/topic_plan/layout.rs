//! How a topic is distributed over the brokers.

use std::time::Duration;

use rdkafka::error::KafkaError;

use crate::native::AdminHandle;

/// How a topic is distributed over the brokers. A topic without partitions does not exist.
pub(super) struct TopicLayout {
    /// The number of brokers of the cluster.
    pub(super) brokers: u32,
    pub(super) partitions: u32,
    /// The number of replicas of the partition that has the fewest.
    pub(super) replication: u32,
}

/// Requests the layout of a topic. Blocks for `timeout` at most.
pub(super) fn fetch_layout(
    admin: &AdminHandle,
    topic: &str,
    timeout: Duration,
) -> Result<TopicLayout, KafkaError> {
    let metadata = admin.inner().fetch_metadata(Some(topic), timeout)?;
    let to_u32 = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    let partitions = found.map_or(&[][..], |found| found.partitions());
    let replicas = partitions
        .iter()
        .map(|partition| partition.replicas().len());
    Ok(TopicLayout {
        brokers: to_u32(metadata.brokers().len()),
        partitions: to_u32(partitions.len()),
        replication: to_u32(replicas.min().unwrap_or(0)),
    })
}
