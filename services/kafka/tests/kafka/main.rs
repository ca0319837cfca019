//! The log over a real Kafka: the contract of every log, reading, outages, groups and topics.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the functions that tests share are tests too"
)]

mod log;
mod membership;
mod outage;
mod secure;
mod support;
mod topics;

mod every_log {
    use candlewick_kafka::KafkaLog;
    use clock::ManualClock;
    use eventlog::contract::{self, PARTITIONS};
    use eventlog::for_every_log;

    use crate::support::{Broker, runtime};

    fn with_log(test_name: &str, test: impl AsyncFnOnce(KafkaLog, ManualClock)) {
        runtime().block_on(async {
            let broker = Broker::connect();
            let topic = broker.create_topic(test_name, PARTITIONS).await;
            let log = broker.open(&topic, 1).await;
            test(log, ManualClock::new(1_000)).await;
            broker.delete_topic(&topic).await;
        });
    }

    macro_rules! test {
        ($name:ident) => {
            #[test]
            fn $name() {
                with_log(stringify!($name), contract::$name);
            }
        };
    }
    for_every_log!(test);

    #[test]
    fn closes() {
        with_log("closes", async |log, _clock| {
            contract::close_ends_waits_and_fails_later_calls(log, KafkaLog::close).await;
        });
    }
}
