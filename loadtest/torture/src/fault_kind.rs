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
}

impl FaultKind {
    pub(crate) const ALL: [Self; 10] = [
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
    ];

    /// Returns how often this kind is chosen, relative to the others.
    pub(crate) const fn weight(self) -> usize {
        match self {
            Self::Kill => 8,
            Self::Recreate => 1,
            Self::Redis => 2,
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
        };
        out.pad(name)
    }
}
