//! What the topics of a cluster should be.

use kafka::TopicSpec;

use crate::topics::TopicNames;

/// Returns the specifications of the topics, under their configured names.
#[must_use]
pub fn topic_specs(names: &TopicNames, partitions: u32, replication: u32) -> Vec<TopicSpec> {
    let spec = |topic: schemas::TopicDefinition| TopicSpec {
        name: names.full_name(topic.name),
        partitions: topic.partitions,
        replication: topic.replication,
        settings: topic
            .settings
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    };
    let topics = schemas::topic_definitions(partitions, replication);
    topics.into_iter().map(spec).collect()
}

#[cfg(test)]
mod tests {
    use super::{TopicNames, topic_specs};

    #[test]
    fn topics_accept_the_largest_record_that_is_appended() {
        // What librdkafka counts in addition to key and value.
        let largest_bytes = kafka::MAX_RECORD_BYTES + 1_024;
        assert!(schemas::MAX_MESSAGE_BYTES > largest_bytes);
        for spec in topic_specs(&TopicNames::default(), 1, 1) {
            let setting = spec
                .settings
                .iter()
                .find(|(name, _)| name == "max.message.bytes");
            assert_eq!(setting.unwrap().1, schemas::MAX_MESSAGE_BYTES.to_string());
        }
    }
}
