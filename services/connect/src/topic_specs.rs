//! The topics as they should be, under the names that are configured.

use kafka::TopicSpec;

use crate::TopicNames;

/// The topics of a cluster, called so.
#[must_use]
pub fn topic_specs(names: &TopicNames, partitions: u32, replication: u32) -> Vec<TopicSpec> {
    let spec = |topic: schemas::Topic| TopicSpec {
        name: names.full_name(topic.name),
        partitions: topic.partitions,
        replication: topic.replication,
        settings: topic
            .settings
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    };
    let topics = schemas::topics(partitions, replication);
    topics.into_iter().map(spec).collect()
}

#[cfg(test)]
mod tests {
    use super::{TopicNames, topic_specs};

    #[test]
    fn topics_take_the_largest_record_that_is_appended() {
        // What librdkafka counts beside key and value.
        let largest = kafka::MAX_RECORD_BYTES + 1_024;
        assert!(schemas::MAX_MESSAGE_BYTES > largest);
        for spec in topic_specs(&TopicNames::default(), 1, 1) {
            let setting = spec
                .settings
                .iter()
                .find(|(name, _)| name == "max.message.bytes");
            assert_eq!(setting.unwrap().1, schemas::MAX_MESSAGE_BYTES.to_string());
        }
    }
}
