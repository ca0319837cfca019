//! The log over a real Kafka: the contract of every log, reading, outages, groups and topics.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the functions of the contract are tests, and the helpers belong to tests"
)]

#[path = "../../../eventlog/tests/log/contract.rs"]
mod contract;
mod log;
mod membership;
mod outage;
mod secure;
mod support;
mod topics;

mod every_log {
    use clock::ManualClock;

    use crate::contract::{self, PARTITIONS, for_every_log};
    use crate::support::{Broker, runtime};

    macro_rules! test {
        ($name:ident) => {
            #[test]
            fn $name() {
                runtime().block_on(async {
                    let broker = Broker::connect();
                    let topic = broker.make_topic(stringify!($name), PARTITIONS).await;
                    let log = broker.open(&topic, 1).await;
                    contract::$name(log, ManualClock::new(1_000)).await;
                    broker.delete_topic(&topic).await;
                });
            }
        };
    }
    for_every_log!(test);
}
