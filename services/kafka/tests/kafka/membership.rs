//! How the consumer group assigns partitions.

use std::time::Duration;

use candlewick_kafka::{GroupEvent, GroupMembership, GroupMembershipOptions};
use eventlog::contract::numbered_records;
use eventlog::{Log, PartitionId};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tokio::sync::mpsc::Receiver;

use crate::support::{Broker, eventually, runtime};

type Events = Receiver<GroupEvent>;

/// A consumer group of its own topic.
struct Group {
    broker: Broker,
    topic: String,
}

impl Group {
    async fn create(test: &str, partitions: PartitionId) -> Self {
        let broker = Broker::connect();
        let topic = broker.create_topic(test, partitions).await;
        Self { broker, topic }
    }

    async fn join(
        &self,
        instance: Option<&str>,
        drain_timeout: Duration,
    ) -> (GroupMembership, Events) {
        let topic = self.broker.kafka.request_topic(&self.topic).await.unwrap();
        let options = GroupMembershipOptions {
            group: format!("group-of-{}", self.topic),
            instance: instance.map(str::to_owned),
            drain_timeout,
        };
        GroupMembership::join(&topic, &options).unwrap()
    }
}

/// A drain timeout that no test reaches.
const LONG_DRAIN: Duration = Duration::from_secs(20);

/// Waits for the next event that is not [`GroupEvent::Spare`].
fn next_event(what: &str, events: &mut Events) -> GroupEvent {
    eventually(what, || try_next_event(events))
}

/// Returns the next event that is not [`GroupEvent::Spare`], if it has come.
fn try_next_event(events: &mut Events) -> Option<GroupEvent> {
    loop {
        match events.try_recv().ok()? {
            GroupEvent::Spare => {}
            event => return Some(event),
        }
    }
}

/// Waits for an assignment, and returns its partitions in order.
fn next_assignment(events: &mut Events) -> Vec<PartitionId> {
    match next_event("partitions that are assigned", events) {
        GroupEvent::Assigned(mut partitions) => {
            partitions.sort_unstable();
            partitions
        }
        other => panic!("{other:?}"),
    }
}

fn assert_no_event(events: &mut Events, during: Duration) {
    std::thread::sleep(during);
    if let Some(event) = try_next_event(events) {
        panic!("{event:?}");
    }
}

#[test]
fn a_member_without_a_partition_is_a_spare() {
    runtime().block_on(async {
        let group = Group::create("spare", 1).await;
        let (_one, mut of_one) = group.join(None, LONG_DRAIN).await;
        assert_eq!(next_assignment(&mut of_one), [0]);
        let (_two, mut of_two) = group.join(None, LONG_DRAIN).await;
        let event = eventually("an event for the spare", || of_two.try_recv().ok());
        assert!(matches!(event, GroupEvent::Spare), "{event:?}");
        // The first member keeps its partition, and gets no event.
        assert!(of_one.try_recv().is_err());
    });
}

#[test]
fn a_partition_moves_once_it_is_drained() {
    runtime().block_on(async {
        let group = Group::create("drained", 4).await;
        let (one, mut of_one) = group.join(None, LONG_DRAIN).await;
        assert_eq!(next_assignment(&mut of_one), [0, 1, 2, 3]);
        // The membership does not deliver existing records.
        let log = group.broker.open(&group.topic, 1).await;
        log.append(0, numbered_records("a", 1_000)).await.unwrap();

        let (two, mut of_two) = group.join(None, LONG_DRAIN).await;
        let GroupEvent::Revoked {
            partitions: mut moved,
            drained,
        } = next_event("partitions that are taken away", &mut of_one)
        else {
            panic!("another event came first");
        };
        moved.sort_unstable();
        assert_eq!(moved.len(), 2);
        assert_no_event(&mut of_two, Duration::from_secs(2));
        drop(drained);
        assert_eq!(next_assignment(&mut of_two), moved);
        assert_no_event(&mut of_one, Duration::from_millis(300));

        // The first member leaves: its other partitions are drained, then move to the second.
        let leaving = tokio::spawn(one.leave());
        let GroupEvent::Revoked {
            partitions: rest,
            drained,
        } = next_event("the rest", &mut of_one)
        else {
            panic!("another event came first");
        };
        assert_eq!(rest.len(), 2);
        assert!(!leaving.is_finished());
        assert_no_event(&mut of_two, Duration::from_millis(500));
        drop(drained);
        leaving.await.unwrap();
        let mut rest = rest;
        rest.sort_unstable();
        assert_eq!(next_assignment(&mut of_two), rest);
        drop((two, of_two));
        group.broker.delete_topic(&group.topic).await;
    });
}

#[test]
fn a_member_that_does_not_drain_delays_the_group_only_for_its_timeout() {
    runtime().block_on(async {
        let group = Group::create("not-drained", 2).await;
        let (_one, mut of_one) = group.join(None, Duration::from_secs(1)).await;
        assert_eq!(next_assignment(&mut of_one), [0, 1]);
        let (_two, mut of_two) = group.join(None, LONG_DRAIN).await;
        let revoked = next_event("a partition that is taken away", &mut of_one);
        assert_eq!(next_assignment(&mut of_two).len(), 1);
        drop(revoked);
    });
}

#[test]
fn an_instance_that_restarts_keeps_its_partitions() {
    runtime().block_on(async {
        let group = Group::create("static", 4).await;
        let (_one, mut of_one) = group.join(Some("one"), LONG_DRAIN).await;
        assert_eq!(next_assignment(&mut of_one).len(), 4);
        let (two, mut of_two) = group.join(Some("two"), LONG_DRAIN).await;
        drop(next_event("partitions that are taken away", &mut of_one));
        let before = next_assignment(&mut of_two);
        let leaving = tokio::spawn(two.leave());
        drop(next_event(
            "the partitions of a member that stops",
            &mut of_two,
        ));
        leaving.await.unwrap();
        let (_two, mut of_two) = group.join(Some("two"), LONG_DRAIN).await;
        assert_eq!(next_assignment(&mut of_two), before);
        assert_no_event(&mut of_one, Duration::from_secs(1));
    });
}

#[test]
fn a_membership_ends_when_another_instance_takes_its_name() {
    runtime().block_on(async {
        let group = Group::create("fenced", 2).await;
        let (_one, mut of_one) = group.join(Some("same"), LONG_DRAIN).await;
        assert_eq!(next_assignment(&mut of_one), [0, 1]);
        let (_two, mut of_two) = group.join(Some("same"), LONG_DRAIN).await;
        assert_eq!(next_assignment(&mut of_two), [0, 1]);
        eventually("the end of the first", || match of_one.try_recv().ok()? {
            GroupEvent::Error { is_over: true, .. } => Some(()),
            _ => None,
        });
    });
}

#[test]
fn offsets_are_committed_for_lag_tools() {
    runtime().block_on(async {
        let group = Group::create("offsets", 2).await;
        let (one, mut events) = group.join(None, LONG_DRAIN).await;
        assert_eq!(next_assignment(&mut events), [0, 1]);
        one.request_offset_commit(1, 7);
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", Broker::config().brokers)
            .set("group.id", format!("group-of-{}", group.topic))
            .create()
            .unwrap();
        let committed = || {
            let mut list = TopicPartitionList::new();
            list.add_partition(&group.topic, 1);
            let list = consumer.committed_offsets(list, LONG_DRAIN).unwrap();
            let found = list.elements()[0].offset();
            (found == Offset::Offset(7)).then_some(())
        };
        eventually("the committed offset", committed);
    });
}
