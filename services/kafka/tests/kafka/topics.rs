//! Creating topics and comparing them with their specifications.

use candlewick_kafka::{TopicDriftAction, TopicSpec, plan_topics};
use eventlog::LogError;

use crate::support::{Broker, runtime};

fn spec(name: &str, partitions: u32, retention_ms: &str) -> TopicSpec {
    TopicSpec {
        name: name.to_owned(),
        partitions,
        replication: 1,
        settings: [
            ("message.timestamp.type", "LogAppendTime"),
            ("retention.ms", retention_ms),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into(),
    }
}

#[test]
fn missing_topics_are_created_and_settings_are_corrected() {
    runtime().block_on(async {
        let broker = Broker::connect();
        let config = Broker::config();
        let name = Broker::unique_name("applied");
        let plan = plan_topics(&config, &[spec(&name, 3, "1000000")])
            .await
            .unwrap();
        assert_eq!(plan.missing_topics().len(), 1);
        plan.apply().await.unwrap();
        broker.wait_until_served(&name, 3).await;
        let plan = plan_topics(&config, &[spec(&name, 3, "1000000")])
            .await
            .unwrap();
        assert_eq!((plan.missing_topics(), plan.drifts()), (&[][..], &[][..]));

        // A setting of the topic that the specification does not have stays.
        let mut other = spec(&name, 3, "1000000");
        other
            .settings
            .push(("segment.ms".to_owned(), "600000".to_owned()));
        plan_topics(&config, &[other.clone()])
            .await
            .unwrap()
            .apply()
            .await
            .unwrap();
        let longer = [spec(&name, 3, "2000000")];
        let plan = plan_topics(&config, &longer).await.unwrap();
        let found: Vec<_> = plan
            .drifts()
            .iter()
            .map(|drift| {
                (
                    drift.setting.as_str(),
                    drift.actual.as_str(),
                    drift.expected.as_str(),
                    drift.change,
                )
            })
            .collect();
        assert_eq!(
            found,
            [("retention.ms", "1000000", "2000000", TopicDriftAction::Set)]
        );
        plan.apply().await.unwrap();
        other.settings[1].1 = "2000000".to_owned();
        let plan = plan_topics(&config, &[other]).await.unwrap();
        assert_eq!(plan.drifts(), []);

        // A retention that is longer than specified stays.
        let plan = plan_topics(&config, &[spec(&name, 3, "5")]).await.unwrap();
        assert_eq!(plan.drifts()[0].change, TopicDriftAction::Left);
        plan.apply().await.unwrap();
        assert_eq!(plan_topics(&config, &longer).await.unwrap().drifts(), []);
        broker.delete_topic(&name).await;
    });
}

#[test]
fn another_number_of_partitions_is_refused_before_anything_is_changed() {
    runtime().block_on(async {
        let broker = Broker::connect();
        let config = Broker::config();
        let name = broker.create_topic("partitions", 3).await;
        let other = Broker::unique_name("not-created");
        let specs = [spec(&other, 3, "1000000"), spec(&name, 6, "1000000")];
        let plan = plan_topics(&config, &specs).await.unwrap();
        let error = plan.apply().await.unwrap_err();
        assert!(matches!(error, LogError::Refused { .. }), "{error}");
        assert!(error.to_string().contains("3 partitions and 6"), "{error}");
        assert!(broker.kafka.request_topic(&other).await.is_err());
        broker.delete_topic(&name).await;
    });
}

#[test]
fn too_few_brokers_are_reported() {
    runtime().block_on(async {
        let mut spec = spec(&Broker::unique_name("replicas"), 1, "1000000");
        spec.replication = 30;
        let error = plan_topics(&Broker::config(), &[spec]).await.err().unwrap();
        assert!(error.to_string().contains("--replication"), "{error}");
    });
}
