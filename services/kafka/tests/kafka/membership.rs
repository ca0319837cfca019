//! Who works on which partitions, as the group says.

use std::time::Duration;

use candlewick_kafka::{GroupEvent, Membership, MembershipOptions};
use eventlog::{Log, PartitionId};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tokio::sync::mpsc::Receiver;

use crate::support::{Broker, entries, eventually, runtime};

type Events = Receiver<GroupEvent>;

struct Group {
    broker: Broker,
    topic: String,
}

impl Group {
    async fn of(test: &str, partitions: PartitionId) -> Self {
        let broker = Broker::connect();
        let topic = broker.make_topic(test, partitions).await;
        Self { broker, topic }
    }

    async fn join(&self, instance: Option<&str>, drain_timeout: Duration) -> (Membership, Events) {
        let topic = self.broker.kafka.topic(&self.topic).await.unwrap();
        let options = MembershipOptions {
            group: format!("group-of-{}", self.topic),
            instance: instance.map(str::to_owned),
            drain_timeout,
        };
        Membership::join(&topic, &options).unwrap()
    }
}

const PATIENT: Duration = Duration::from_secs(20);

/// The next event but those that say that nothing is assigned yet.
fn next(what: &str, events: &mut Events) -> GroupEvent {
    eventually(what, || received(events))
}

fn received(events: &mut Events) -> Option<GroupEvent> {
    loop {
        match events.try_recv().ok()? {
            GroupEvent::Spare => {}
            event => return Some(event),
        }
    }
}

fn assigned(events: &mut Events) -> Vec<PartitionId> {
    match next("partitions that are assigned", events) {
        GroupEvent::Assigned(mut partitions) => {
            partitions.sort_unstable();
            partitions
        }
        other => panic!("{other:?}"),
    }
}

fn nothing(events: &mut Events, during: Duration) {
    std::thread::sleep(during);
    if let Some(event) = received(events) {
        panic!("{event:?}");
    }
}

#[test]
fn a_member_without_a_partition_is_told_that_it_is_a_spare() {
    runtime().block_on(async {
        let group = Group::of("spare", 1).await;
        let (_one, mut of_one) = group.join(None, PATIENT).await;
        assert_eq!(assigned(&mut of_one), [0]);
        let (_two, mut of_two) = group.join(None, PATIENT).await;
        let told = eventually("a word to the spare", || of_two.try_recv().ok());
        assert!(matches!(told, GroupEvent::Spare), "{told:?}");
        // The first keeps what it has, and is told nothing of it.
        assert!(of_one.try_recv().is_err());
    });
}

#[test]
fn a_partition_goes_on_once_it_is_drained() {
    runtime().block_on(async {
        let group = Group::of("drained", 4).await;
        let (one, mut of_one) = group.join(None, PATIENT).await;
        assert_eq!(assigned(&mut of_one), [0, 1, 2, 3]);
        // Records that are there do not come through the membership.
        let log = group.broker.open(&group.topic, 1).await;
        log.append(0, entries("a", 1_000)).await.unwrap();

        let (two, mut of_two) = group.join(None, PATIENT).await;
        let GroupEvent::Revoked {
            partitions: mut moved,
            drained,
        } = next("partitions that are taken away", &mut of_one)
        else {
            panic!("something else came first");
        };
        moved.sort_unstable();
        assert_eq!(moved.len(), 2);
        nothing(&mut of_two, Duration::from_secs(2));
        drop(drained);
        assert_eq!(assigned(&mut of_two), moved);
        nothing(&mut of_one, Duration::from_millis(300));

        // One leaves: what it still had is drained, then given to two.
        let leaving = tokio::spawn(one.leave());
        let GroupEvent::Revoked {
            partitions: rest,
            drained,
        } = next("the rest", &mut of_one)
        else {
            panic!("something else came first");
        };
        assert_eq!(rest.len(), 2);
        assert!(!leaving.is_finished());
        nothing(&mut of_two, Duration::from_millis(500));
        drop(drained);
        leaving.await.unwrap();
        let mut rest = rest;
        rest.sort_unstable();
        assert_eq!(assigned(&mut of_two), rest);
        drop((two, of_two));
        group.broker.delete_topic(&group.topic).await;
    });
}

#[test]
fn one_who_does_not_drain_holds_the_group_up_only_so_long() {
    runtime().block_on(async {
        let group = Group::of("not-drained", 2).await;
        let (_one, mut of_one) = group.join(None, Duration::from_secs(1)).await;
        assert_eq!(assigned(&mut of_one), [0, 1]);
        let (_two, mut of_two) = group.join(None, PATIENT).await;
        let revoked = next("a partition that is taken away", &mut of_one);
        assert_eq!(assigned(&mut of_two).len(), 1);
        drop(revoked);
    });
}

#[test]
fn an_instance_that_comes_back_finds_its_partitions() {
    runtime().block_on(async {
        let group = Group::of("static", 4).await;
        let (_one, mut of_one) = group.join(Some("one"), PATIENT).await;
        assert_eq!(assigned(&mut of_one).len(), 4);
        let (two, mut of_two) = group.join(Some("two"), PATIENT).await;
        drop(next("partitions that are taken away", &mut of_one));
        let before = assigned(&mut of_two);
        let leaving = tokio::spawn(two.leave());
        drop(next("the partitions of one who stops", &mut of_two));
        leaving.await.unwrap();
        let (_two, mut of_two) = group.join(Some("two"), PATIENT).await;
        assert_eq!(assigned(&mut of_two), before);
        nothing(&mut of_one, Duration::from_secs(1));
    });
}

#[test]
fn an_instance_whose_name_is_taken_is_told_that_it_is_over() {
    runtime().block_on(async {
        let group = Group::of("fenced", 2).await;
        let (_one, mut of_one) = group.join(Some("same"), PATIENT).await;
        assert_eq!(assigned(&mut of_one), [0, 1]);
        let (_two, mut of_two) = group.join(Some("same"), PATIENT).await;
        assert_eq!(assigned(&mut of_two), [0, 1]);
        eventually("the end of the first", || match of_one.try_recv().ok()? {
            GroupEvent::Error { is_over: true, .. } => Some(()),
            _ => None,
        });
    });
}

#[test]
fn positions_are_committed_for_lag_tools() {
    runtime().block_on(async {
        let group = Group::of("positions", 2).await;
        let (one, mut events) = group.join(None, PATIENT).await;
        assert_eq!(assigned(&mut events), [0, 1]);
        one.commit(1, 7);
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", Broker::config().brokers)
            .set("group.id", format!("group-of-{}", group.topic))
            .create()
            .unwrap();
        let committed = || {
            let mut list = TopicPartitionList::new();
            list.add_partition(&group.topic, 1);
            let list = consumer.committed_offsets(list, PATIENT).unwrap();
            let found = list.elements()[0].offset();
            (found == Offset::Offset(7)).then_some(())
        };
        eventually("the position", committed);
    });
}
