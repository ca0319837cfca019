//! Where a topic differs from how it should be, and what may be done about it.

use super::{Existing, TopicSpec};

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicDrift {
    /// The topic.
    pub topic: String,
    /// The setting: one of Kafka's, or `partitions`, or `replication.factor`.
    pub setting: String,
    /// How it is.
    pub is: String,
    /// How it should be.
    pub should: String,
    /// What applying does.
    pub change: TopicChange,
}

/// What applying does about a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicChange {
    /// It is set.
    Set,
    /// It is left as it is: records would go, or data would move, which a person decides.
    Left,
    /// Nothing is applied at all.
    Refused,
}

impl TopicChange {
    /// What applying does, in a word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::Left => "left as it is",
            Self::Refused => "refused",
        }
    }
}

/// All differences of one topic.
pub(super) fn compare(spec: &TopicSpec, existing: &Existing) -> Vec<TopicDrift> {
    let drift = |setting: &str, is: String, should: String, change| TopicDrift {
        topic: spec.name.clone(),
        setting: setting.to_owned(),
        is,
        should,
        change,
    };
    let mut drifts = Vec::new();
    let (is, should) = (existing.partitions, spec.partitions);
    if is != should {
        let (is, should) = (is.to_string(), should.to_string());
        drifts.push(drift("partitions", is, should, TopicChange::Refused));
    }
    let (is, should) = (existing.replication, spec.replication);
    if is != should {
        let (is, should) = (is.to_string(), should.to_string());
        drifts.push(drift("replication.factor", is, should, TopicChange::Left));
    }
    for (setting, should) in &spec.settings {
        let is = existing.settings.get(setting).cloned().unwrap_or_default();
        if is != *should {
            let change = change(setting, &is, should, existing.replication);
            drifts.push(drift(setting, is, should.clone(), change));
        }
    }
    drifts
}

fn change(setting: &str, is: &str, should: &str, replication: u32) -> TopicChange {
    let forever = |text: &str| match text.parse::<i64>() {
        Ok(-1) => Some(i64::MAX),
        parsed => parsed.ok(),
    };
    let is_safe = match setting {
        // Records that are kept longer than they need be are nobody's loss.
        "retention.ms" | "retention.bytes" => match (forever(is), forever(should)) {
            (Some(is), Some(should)) => should > is,
            _ => true,
        },
        // More than there are replicas, and nothing could be written.
        "min.insync.replicas" => should.parse().is_ok_and(|least: u32| least <= replication),
        _ => true,
    };
    match is_safe {
        true => TopicChange::Set,
        false => TopicChange::Left,
    }
}

#[cfg(test)]
mod tests {
    use super::{Existing, TopicChange, TopicSpec, compare};

    fn changes(existing: &Existing) -> Vec<(String, TopicChange)> {
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
        let drifts = compare(&spec, existing).into_iter();
        drifts.map(|drift| (drift.setting, drift.change)).collect()
    }

    fn existing(partitions: u32, replication: u32, settings: [&str; 3]) -> Existing {
        let names = ["retention.ms", "min.insync.replicas", "cleanup.policy"];
        let settings = names.into_iter().zip(settings);
        Existing {
            partitions,
            replication,
            settings: settings
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        }
    }

    #[test]
    fn a_topic_as_it_should_be_has_no_drift() {
        assert_eq!(changes(&existing(12, 3, ["1000", "2", "delete"])), []);
    }

    #[test]
    fn partitions_are_refused_and_replicas_left() {
        let found = changes(&existing(6, 1, ["1000", "1", "delete"]));
        let expected = [
            ("partitions", TopicChange::Refused),
            ("replication.factor", TopicChange::Left),
            ("min.insync.replicas", TopicChange::Left),
        ];
        assert_eq!(
            found,
            expected.map(|(name, change)| (name.to_owned(), change))
        );
    }

    #[test]
    fn retention_grows_and_never_shrinks() {
        for (is, change) in [
            ("999", TopicChange::Set),
            ("1001", TopicChange::Left),
            ("-1", TopicChange::Left),
        ] {
            let found = changes(&existing(12, 3, [is, "2", "compact"]));
            let expected = [
                ("retention.ms", change),
                ("cleanup.policy", TopicChange::Set),
            ];
            assert_eq!(
                found,
                expected.map(|(name, change)| (name.to_owned(), change))
            );
        }
    }
}
