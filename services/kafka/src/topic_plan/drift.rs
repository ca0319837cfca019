//! How a topic differs from its specification, and what applying a plan does about it.

use super::spec::{ExistingTopic, TopicSpec};

/// One difference between a topic and its specification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicDrift {
    /// The topic.
    pub topic: String,
    /// The setting: a setting of Kafka, `partitions` or `replication.factor`.
    pub setting: String,
    /// The value that the topic has.
    pub actual: String,
    /// The value that the topic should have.
    pub expected: String,
    /// What applying the plan does.
    pub change: TopicDriftAction,
}

/// What applying a plan does about a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicDriftAction {
    /// It sets the expected value.
    Set,
    /// It leaves the value: setting it would delete records or move data, which an operator must
    /// decide.
    Left,
    /// It fails, and changes no topic.
    Refused,
}

impl TopicDrift {
    /// Returns whether the difference loses acknowledged records or changes what they mean, rather
    /// than how safely or how long they are kept beyond what is needed.
    #[must_use]
    pub fn is_unsafe(&self) -> bool {
        match self.setting.as_str() {
            "partitions" | "message.timestamp.type" | "cleanup.policy" => true,
            // A topic that keeps records for less time than it should.
            "retention.ms" => self.change == TopicDriftAction::Set,
            _ => false,
        }
    }

    /// Returns what is wrong and what an operator does about it, for a drift that
    /// [is unsafe](Self::is_unsafe).
    #[must_use]
    pub fn explain_as_unsafe(&self) -> String {
        let Self {
            topic,
            setting,
            actual,
            expected,
            ..
        } = self;
        match setting.as_str() {
            "partitions" => format!(
                "{topic} has {actual} partitions and had {expected} when this process started: keys \
                 belong to other partitions now, so nothing more is folded; recreate the topics \
                 with the {expected} partitions whose state is stored"
            ),
            _ => format!(
                "{topic} has {setting}={actual}, which loses or reorders records; it should be \
                 {expected}, which `candlewick topics apply` sets"
            ),
        }
    }
}

impl TopicDriftAction {
    /// Returns what applying the plan does, as a word for the operator.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::Left => "left as it is",
            Self::Refused => "refused",
        }
    }
}

/// Returns all differences of one topic.
pub(super) fn find_drifts(spec: &TopicSpec, existing: &ExistingTopic) -> Vec<TopicDrift> {
    let drift = |setting: &str, actual: String, expected: String, change| TopicDrift {
        topic: spec.name.clone(),
        setting: setting.to_owned(),
        actual,
        expected,
        change,
    };
    let mut drifts = Vec::new();
    let (actual, expected) = (existing.partitions, spec.partitions);
    if actual != expected {
        let (actual, expected) = (actual.to_string(), expected.to_string());
        drifts.push(drift(
            "partitions",
            actual,
            expected,
            TopicDriftAction::Refused,
        ));
    }
    let (actual, expected) = (existing.replication, spec.replication);
    if actual != expected {
        let (actual, expected) = (actual.to_string(), expected.to_string());
        drifts.push(drift(
            "replication.factor",
            actual,
            expected,
            TopicDriftAction::Left,
        ));
    }
    for (setting, expected) in &spec.settings {
        let actual = existing.settings.get(setting).cloned().unwrap_or_default();
        if actual != *expected {
            let change =
                choose_setting_drift_action(setting, &actual, expected, existing.replication);
            drifts.push(drift(setting, actual, expected.clone(), change));
        }
    }
    drifts
}

/// Returns what applying a plan does about a setting that differs.
fn choose_setting_drift_action(
    setting: &str,
    actual: &str,
    expected: &str,
    replication: u32,
) -> TopicDriftAction {
    // -1 means no bound.
    let parse_bound = |text: &str| match text.parse::<i64>() {
        Ok(-1) => Some(i64::MAX),
        parsed => parsed.ok(),
    };
    let is_safe = match setting {
        // Keeping records for longer loses nothing.
        "retention.ms" | "retention.bytes" => match (parse_bound(actual), parse_bound(expected)) {
            (Some(actual), Some(expected)) => expected > actual,
            _ => true,
        },
        // With a minimum above the number of replicas nothing could be appended.
        "min.insync.replicas" => expected.parse().is_ok_and(|min: u32| min <= replication),
        _ => true,
    };
    match is_safe {
        true => TopicDriftAction::Set,
        false => TopicDriftAction::Left,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find_changes(existing: &ExistingTopic) -> Vec<(String, TopicDriftAction)> {
        let spec = TopicSpec {
            name: "trades".to_owned(),
            partitions: 12,
            replication: 3,
            settings: [
                ("retention.ms", "1000"),
                ("min.insync.replicas", "2"),
                ("cleanup.policy", "delete"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        };
        let drifts = find_drifts(&spec, existing).into_iter();
        drifts.map(|drift| (drift.setting, drift.change)).collect()
    }

    fn existing(partitions: u32, replication: u32, settings: [&str; 3]) -> ExistingTopic {
        let names = ["retention.ms", "min.insync.replicas", "cleanup.policy"];
        let settings = names.into_iter().zip(settings);
        ExistingTopic {
            partitions,
            replication,
            settings: settings
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        }
    }

    #[test]
    fn a_topic_as_it_should_be_has_no_drift() {
        assert_eq!(find_changes(&existing(12, 3, ["1000", "2", "delete"])), []);
    }

    #[test]
    fn other_partitions_are_refused_and_other_replicas_are_left() {
        let found = find_changes(&existing(6, 1, ["1000", "1", "delete"]));
        let expected = [
            ("partitions", TopicDriftAction::Refused),
            ("replication.factor", TopicDriftAction::Left),
            ("min.insync.replicas", TopicDriftAction::Left),
        ];
        assert_eq!(
            found,
            expected.map(|(name, change)| (name.to_owned(), change))
        );
    }

    #[test]
    fn retention_is_increased_and_never_decreased() {
        for (actual, change) in [
            ("999", TopicDriftAction::Set),
            ("1001", TopicDriftAction::Left),
            ("-1", TopicDriftAction::Left),
        ] {
            let found = find_changes(&existing(12, 3, [actual, "2", "compact"]));
            let expected = [
                ("retention.ms", change),
                ("cleanup.policy", TopicDriftAction::Set),
            ];
            assert_eq!(
                found,
                expected.map(|(name, change)| (name.to_owned(), change))
            );
        }
    }
}
