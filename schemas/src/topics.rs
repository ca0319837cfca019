//! The topics: their names, and how Kafka has to keep them.

/// The trades and the control records: the log that everything is computed from.
pub const TRADES: &str = "trades";
/// Forming, closed and corrected bars, partitioned as [`TRADES`].
pub const BAR_UPDATES: &str = "bar-updates";
/// Records that were not counted, with the reason, partitioned as [`TRADES`].
pub const DEAD_LETTERS: &str = "dead-letters";

/// How many partitions a cluster gets that does not choose: enough for a dozen workers.
pub const DEFAULT_PARTITIONS: u32 = 12;
/// How many brokers keep each partition, where nobody chooses.
pub const DEFAULT_REPLICATION: u32 = 3;
/// The largest record that a topic takes, in bytes, with what the wire adds to it.
pub const MAX_MESSAGE_BYTES: usize = (4 << 20) + 2_048;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
/// As long as ticks are kept, so that the ticks can be made again from the log.
const TRADES_RETENTION_MS: u64 = 7 * DAY_MS;
/// People read these, and not on the same day.
const DEAD_LETTERS_RETENTION_MS: u64 = 30 * DAY_MS;

/// How Kafka keeps one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: &'static str,
    /// How many partitions it has; they never change.
    pub partitions: u32,
    /// How many brokers keep each of them.
    pub replication: u32,
    /// Its settings, by Kafka's names.
    pub settings: Vec<(&'static str, String)>,
}

/// All topics of a cluster. They have the same partitions: what is told of a symbol lies in the
/// partition of the same number in each.
#[must_use]
pub fn topics(partitions: u32, replication: u32) -> Vec<Topic> {
    let topic = |name, retention_ms| Topic {
        name,
        partitions,
        replication,
        settings: settings(replication, retention_ms),
    };
    vec![
        topic(TRADES, TRADES_RETENTION_MS),
        // A pod begins where the stored bars were announced last, which trades that are still
        // there may lie behind.
        topic(BAR_UPDATES, TRADES_RETENTION_MS),
        topic(DEAD_LETTERS, DEAD_LETTERS_RETENTION_MS),
    ]
}

fn settings(replication: u32, retention_ms: u64) -> Vec<(&'static str, String)> {
    // With three copies one broker may be down; with fewer, nothing may be asked for beyond one.
    let in_sync = if replication >= 3 { replication - 1 } else { 1 };
    vec![
        // The only clock of the fold is the log's.
        ("message.timestamp.type", "LogAppendTime".to_owned()),
        ("min.insync.replicas", in_sync.to_string()),
        // What was acknowledged is never taken back.
        ("unclean.leader.election.enable", "false".to_owned()),
        ("retention.ms", retention_ms.to_string()),
        ("cleanup.policy", "delete".to_owned()),
        ("compression.type", "producer".to_owned()),
        ("max.message.bytes", MAX_MESSAGE_BYTES.to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use super::{BAR_UPDATES, TRADES, topics};

    fn setting(name: &str, replication: u32, setting: &str) -> String {
        let topics = topics(6, replication);
        let topic = topics.iter().find(|topic| topic.name == name).unwrap();
        let found = topic.settings.iter().find(|(name, _)| *name == setting);
        found.unwrap().1.clone()
    }

    #[test]
    fn updates_are_kept_as_long_as_trades_in_as_many_partitions() {
        let kept = |name| setting(name, 3, "retention.ms");
        assert_eq!(kept(BAR_UPDATES), kept(TRADES));
        let all = topics(6, 3);
        assert!(all.iter().all(|topic| topic.partitions == 6));
    }

    #[test]
    fn one_broker_of_three_may_be_down() {
        for (replication, in_sync) in [(1, "1"), (2, "1"), (3, "2"), (5, "4")] {
            assert_eq!(setting(TRADES, replication, "min.insync.replicas"), in_sync);
        }
    }
}
