//! The topics: their names, and how Kafka must store them.

/// The topic of the trades and the control records, from which everything else is computed.
pub const TRADES: &str = "trades";
/// The topic of forming, closed and corrected bars, partitioned like [`TRADES`].
pub const BAR_UPDATES: &str = "bar-updates";
/// The topic of rejected records with the reasons, partitioned like [`TRADES`].
pub const DEAD_LETTERS: &str = "dead-letters";

/// The number of partitions unless the configuration says otherwise: enough for a dozen workers.
pub const DEFAULT_PARTITIONS: u32 = 12;
/// The number of brokers that store each partition unless the configuration says otherwise.
pub const DEFAULT_REPLICATION: u32 = 3;
/// The size of the largest record that a topic accepts, in bytes, including what Kafka's protocol
/// adds to it.
pub const MAX_MESSAGE_BYTES: usize = (4 << 20) + 2_048;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
/// As long as the ticks themselves, so that they can be archived again from the log.
const TRADES_RETENTION_MS: u64 = 7 * DAY_MS;
/// Longer, because people read dead letters, and not on the same day.
const DEAD_LETTERS_RETENTION_MS: u64 = 30 * DAY_MS;

/// How Kafka stores one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicDefinition {
    /// The topic's name.
    pub name: &'static str,
    /// The number of partitions, which never changes.
    pub partitions: u32,
    /// The number of brokers that store each partition.
    pub replication: u32,
    /// The topic's settings by Kafka's names.
    pub settings: Vec<(&'static str, String)>,
}

/// Returns all topics of a cluster. They have the same number of partitions: the records of a
/// symbol are in the partition of the same number in each topic.
#[must_use]
pub fn topic_definitions(partitions: u32, replication: u32) -> Vec<TopicDefinition> {
    let topic = |name, retention_ms| TopicDefinition {
        name,
        partitions,
        replication,
        settings: kafka_topic_settings(replication, retention_ms),
    };
    vec![
        topic(TRADES, TRADES_RETENTION_MS),
        // A pod starts reading at the position up to which the stored bars were announced. Trades
        // that are still in the log may be later than it, so updates are kept as long as trades.
        topic(BAR_UPDATES, TRADES_RETENTION_MS),
        topic(DEAD_LETTERS, DEAD_LETTERS_RETENTION_MS),
    ]
}

fn kafka_topic_settings(replication: u32, retention_ms: u64) -> Vec<(&'static str, String)> {
    // With three copies one broker may be down. With fewer, requiring a second copy would stop
    // writes whenever one broker is down.
    let in_sync = if replication >= 3 { replication - 1 } else { 1 };
    vec![
        // The fold knows no clock but the log's append time.
        ("message.timestamp.type", "LogAppendTime".to_owned()),
        ("min.insync.replicas", in_sync.to_string()),
        // An acknowledged record is never lost to an election.
        ("unclean.leader.election.enable", "false".to_owned()),
        ("retention.ms", retention_ms.to_string()),
        ("cleanup.policy", "delete".to_owned()),
        ("compression.type", "producer".to_owned()),
        ("max.message.bytes", MAX_MESSAGE_BYTES.to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use super::{BAR_UPDATES, TRADES, topic_definitions};

    fn setting_of(name: &str, replication: u32, wanted: &str) -> String {
        let topics = topic_definitions(6, replication);
        let topic = topics.iter().find(|topic| topic.name == name).unwrap();
        let setting = topic.settings.iter().find(|(name, _)| *name == wanted);
        setting.unwrap().1.clone()
    }

    #[test]
    fn updates_are_kept_as_long_as_trades_in_as_many_partitions() {
        let retention_ms = |name| setting_of(name, 3, "retention.ms");
        assert_eq!(retention_ms(BAR_UPDATES), retention_ms(TRADES));
        let all = topic_definitions(6, 3);
        assert!(all.iter().all(|topic| topic.partitions == 6));
    }

    #[test]
    fn one_broker_of_three_may_be_down() {
        for (replication, in_sync) in [(1, "1"), (2, "1"), (3, "2"), (5, "4")] {
            assert_eq!(
                setting_of(TRADES, replication, "min.insync.replicas"),
                in_sync
            );
        }
    }
}
