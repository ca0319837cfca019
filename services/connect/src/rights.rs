//! What each role and tool needs on the topics of Kafka.

use kafka::TopicRight::{self, Describe, DescribeConfigs, Read, Write};

/// The rights that one role or tool needs on each topic. A topic without any is not used.
#[derive(Debug, Clone, Copy)]
pub struct RoleRights {
    /// The role or tool, as on the command line.
    pub role: &'static str,
    /// On the topic `trades`.
    pub trades: &'static [TopicRight],
    /// On the topic `bar-updates`.
    pub bar_updates: &'static [TopicRight],
    /// On the topic `dead-letters`.
    pub dead_letters: &'static [TopicRight],
    /// Whether it joins a consumer group, on which it needs `Read`.
    pub joins_group: bool,
}

/// The rights of `candlewick aggregator`. It appends advances and refolds to `trades`.
pub const AGGREGATOR_RIGHTS: RoleRights = RoleRights {
    role: "aggregator",
    trades: &[Read, Write, DescribeConfigs],
    bar_updates: &[Write, DescribeConfigs],
    dead_letters: &[Write, DescribeConfigs],
    joins_group: true,
};

/// The rights of `candlewick archiver`.
pub const ARCHIVER_RIGHTS: RoleRights = RoleRights {
    role: "archiver",
    trades: &[Read, DescribeConfigs],
    bar_updates: &[],
    dead_letters: &[],
    joins_group: true,
};

/// The rights of `candlewick api`. It reads the settings of venues from `trades`.
pub const API_RIGHTS: RoleRights = RoleRights {
    role: "api",
    trades: &[Read, Write, DescribeConfigs],
    bar_updates: &[Read, DescribeConfigs],
    dead_letters: &[],
    joins_group: false,
};

/// The rights of `candlewick dead-letters list` and `show`.
pub const DEAD_LETTERS_RIGHTS: RoleRights = RoleRights {
    role: "dead-letters list, show",
    trades: &[Describe],
    bar_updates: &[],
    dead_letters: &[Read],
    joins_group: false,
};

/// The rights of `candlewick dead-letters replay`.
pub const DEAD_LETTERS_REPLAY_RIGHTS: RoleRights = RoleRights {
    role: "dead-letters replay",
    trades: &[Write],
    bar_updates: &[],
    dead_letters: &[Read],
    joins_group: false,
};

/// The rights of `candlewick verify`, which looks whether there are records that are not folded.
pub const VERIFY_RIGHTS: RoleRights = RoleRights {
    role: "verify",
    trades: &[Read],
    bar_updates: &[],
    dead_letters: &[],
    joins_group: false,
};

impl RoleRights {
    /// Returns the rights on a topic, which the stores know as `topic`.
    #[must_use]
    pub fn on(&self, topic: &str) -> &'static [TopicRight] {
        match topic {
            schemas::TRADES => self.trades,
            schemas::BAR_UPDATES => self.bar_updates,
            schemas::DEAD_LETTERS => self.dead_letters,
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = include_str!("../../../docs/rights.md");

    fn cell(rights: &[TopicRight]) -> String {
        match rights {
            [] => "-".to_owned(),
            rights => rights
                .iter()
                .map(|right| right.as_str())
                .collect::<Vec<_>>()
                .join(", "),
        }
    }

    #[test]
    fn the_page_lists_the_rights_that_are_checked() {
        for rights in [
            AGGREGATOR_RIGHTS,
            ARCHIVER_RIGHTS,
            API_RIGHTS,
            DEAD_LETTERS_RIGHTS,
            DEAD_LETTERS_REPLAY_RIGHTS,
            VERIFY_RIGHTS,
        ] {
            let row = format!(
                "| `{}` | {} | {} | {} | {} |",
                rights.role,
                cell(rights.trades),
                cell(rights.bar_updates),
                cell(rights.dead_letters),
                if rights.joins_group { "Read" } else { "-" },
            );
            assert!(PAGE.contains(&row), "docs/rights.md has not the row\n{row}");
        }
    }
}
