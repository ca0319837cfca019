//! The kinds of faults.

use std::fmt;

use clap::ValueEnum;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum FaultKind {
    /// SIGKILL of a role
    Kill,
    /// A role that is frozen for a while
    Stop,
    /// A broker that is killed, frozen, or forgotten by its controller
    Broker,
    /// PostgreSQL killed or frozen
    Postgres,
    /// ClickHouse killed or frozen
    Clickhouse,
    /// Redis killed or frozen
    Redis,
    /// A connection to a store that is cut, slow or mute
    Proxy,
    /// An aggregator that is frozen until another has its partitions, and then thawed
    Zombie,
    /// A topic that is recreated
    Recreate,
    /// Records that cannot count
    Garbage,
    /// A transaction of a foreign producer that stays open, and is then aborted
    Transaction,
    /// Texts that no store can hold, legal texts of other scripts, and repeated edits and cancels
    Hostile,
    /// A store that refuses a legal record
    Unstorable,
    /// Settings changed through several pods at once, and pods killed between the changes
    Settings,
    /// Clients of the stream and of REST that stop reading for a while
    Readers,
    /// `trades` recreated while roles lag
    Undrained,
    /// A setting of `trades` changed by hand, and set right again
    Topic,
    /// A partition added to `trades` by hand, which only recreating the topic undoes
    Partitions,
}

impl FaultKind {
    pub(crate) const ALL: [Self; 18] = [
        Self::Kill,
        Self::Stop,
        Self::Broker,
        Self::Postgres,
        Self::Clickhouse,
        Self::Redis,
        Self::Proxy,
        Self::Zombie,
        Self::Recreate,
        Self::Garbage,
        Self::Transaction,
        Self::Hostile,
        Self::Unstorable,
        Self::Settings,
        Self::Readers,
        Self::Undrained,
        Self::Topic,
        Self::Partitions,
    ];

    /// Returns whether a fault of this kind conflicts with every other.
    pub(crate) const fn is_exclusive(self) -> bool {
        matches!(self, Self::Recreate | Self::Undrained | Self::Partitions)
    }

    /// Returns how often this kind is chosen, relative to the others.
    pub(crate) const fn weight(self) -> usize {
        match self {
            Self::Kill => 8,
            Self::Recreate | Self::Unstorable | Self::Undrained | Self::Partitions => 1,
            Self::Redis | Self::Topic | Self::Transaction | Self::Settings | Self::Readers => 2,
            _ => 4,
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Kill => "kill",
            Self::Stop => "stop",
            Self::Broker => "broker",
            Self::Postgres => "postgres",
            Self::Clickhouse => "clickhouse",
            Self::Redis => "redis",
            Self::Proxy => "proxy",
            Self::Zombie => "zombie",
            Self::Recreate => "recreate",
            Self::Garbage => "garbage",
            Self::Transaction => "transaction",
            Self::Hostile => "hostile",
            Self::Unstorable => "unstorable",
            Self::Settings => "settings",
            Self::Readers => "readers",
            Self::Undrained => "undrained",
            Self::Topic => "topic",
            Self::Partitions => "partitions",
        };
        out.pad(name)
    }
}
