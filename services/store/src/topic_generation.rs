//! The generations of topics, and which of them a process may work with.

use crate::StoreError;

/// A generation of a topic, as a process found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicGeneration {
    /// The name under which the stores know the topic, such as `trades`.
    pub topic: String,
    /// The identifier that the brokers gave the generation.
    pub topic_id: String,
    /// The number of partitions.
    pub partitions: u32,
    /// Which log it is of: the identifier of the Kafka cluster and the full name of the topic.
    pub origin: String,
}

/// A generation of a topic that is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredTopicGeneration {
    /// The identifier of the generation.
    pub topic_id: String,
    /// Its epoch.
    pub epoch: u64,
    /// The number of partitions when it was registered. The state is of these partitions.
    pub partitions: u32,
    /// Which log it is of; `None` if an operator has allowed the next generation to be of any.
    pub origin: Option<String>,
}

/// What registering a generation comes to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RegistrationDecision {
    /// It is the current generation and has this epoch.
    Current(u64),
    /// It is new, and its epoch is to be this one.
    New(u64),
}

impl TopicGeneration {
    /// Decides about registering the generation. `registered` holds the generations of the topic,
    /// in ascending order of their epochs; `store` is the name of the store, for errors.
    pub(crate) fn decide_registration(
        &self,
        registered: &[RegisteredTopicGeneration],
        store: &str,
    ) -> Result<RegistrationDecision, StoreError> {
        let newest = registered.last();
        let known = registered.iter().find(|one| one.topic_id == self.topic_id);
        let Some(known) = known else {
            let origin = newest.and_then(|newest| newest.origin.as_ref());
            if let Some(origin) = origin.filter(|origin| **origin != self.origin) {
                return Err(StoreError::ForeignTopic {
                    store: store.to_owned(),
                    topic: self.topic.clone(),
                    registered: origin.clone(),
                    found: self.origin.clone(),
                });
            }
            // Symbols would move to partitions whose state does not have their bars.
            if let Some(newest) = newest {
                newest.check_partitions(&self.topic, self.partitions, store)?;
            }
            let epoch = newest.map_or(1, |newest| newest.epoch + 1);
            return Ok(RegistrationDecision::New(epoch));
        };
        if newest.is_some_and(|newest| newest.epoch != known.epoch) {
            return Err(StoreError::TopicSuperseded {
                store: store.to_owned(),
                topic: self.topic.clone(),
                topic_id: self.topic_id.clone(),
            });
        }
        known.check_partitions(&self.topic, self.partitions, store)?;
        Ok(RegistrationDecision::Current(known.epoch))
    }
}

impl RegisteredTopicGeneration {
    /// Checks that a topic still has the partitions with which it was registered.
    ///
    /// # Errors
    /// [`StoreError::PartitionsChanged`] if it has not.
    pub fn check_partitions(
        &self,
        topic: &str,
        partitions: u32,
        store: &str,
    ) -> Result<(), StoreError> {
        if self.partitions == partitions {
            return Ok(());
        }
        Err(StoreError::PartitionsChanged {
            store: store.to_owned(),
            topic: topic.to_owned(),
            registered: self.partitions,
            found: partitions,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generation(topic_id: &str, partitions: u32, origin: &str) -> TopicGeneration {
        TopicGeneration {
            topic: "trades".to_owned(),
            topic_id: topic_id.to_owned(),
            partitions,
            origin: origin.to_owned(),
        }
    }

    fn registered(topic_id: &str, epoch: u64, origin: Option<&str>) -> RegisteredTopicGeneration {
        RegisteredTopicGeneration {
            topic_id: topic_id.to_owned(),
            epoch,
            partitions: 4,
            origin: origin.map(ToOwned::to_owned),
        }
    }

    #[test]
    fn a_generation_is_registered_once_in_the_order_of_epochs() {
        let one = [registered("a", 1, Some("here"))];
        let both = [one[0].clone(), registered("b", 2, Some("here"))];
        let register = |id, known: &[RegisteredTopicGeneration]| {
            generation(id, 4, "here").decide_registration(known, "store")
        };
        assert_eq!(register("a", &[]).unwrap(), RegistrationDecision::New(1));
        assert_eq!(
            register("a", &one).unwrap(),
            RegistrationDecision::Current(1)
        );
        assert_eq!(register("b", &one).unwrap(), RegistrationDecision::New(2));
        assert_eq!(
            register("b", &both).unwrap(),
            RegistrationDecision::Current(2)
        );
        let superseded = register("a", &both).unwrap_err();
        assert!(matches!(superseded, StoreError::TopicSuperseded { .. }));
    }

    #[test]
    fn a_topic_of_another_cluster_or_name_is_a_stranger_unless_an_operator_allows_it() {
        let stranger = generation("b", 4, "there");
        let error = stranger
            .decide_registration(&[registered("a", 1, Some("here"))], "store")
            .unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("belongs to here") && text.contains("there"),
            "{text}"
        );
        let allowed = stranger.decide_registration(&[registered("a", 1, None)], "store");
        assert_eq!(allowed.unwrap(), RegistrationDecision::New(2));
    }

    #[test]
    fn neither_a_topic_nor_its_successor_has_other_partitions_than_the_state() {
        for topic_id in ["a", "b"] {
            let error = generation(topic_id, 8, "here")
                .decide_registration(&[registered("a", 1, Some("here"))], "store")
                .unwrap_err();
            assert!(matches!(
                error,
                StoreError::PartitionsChanged { found: 8, .. }
            ));
        }
    }
}
