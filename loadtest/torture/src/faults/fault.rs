//! One fault, and how the seed chooses it.

use std::fmt;
use std::time::Duration;

use crate::cluster::PROXIED_STORES;
use crate::fault_kind::FaultKind;
use crate::proxy::ProxyMode;
use crate::random::Random;
use crate::role_process::RoleKind;

/// A fault that the seed has chosen.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) kind: FaultKind,
    /// The process, server or proxy. No two faults have the same target at once.
    pub(super) target: String,
    /// Whether the target is frozen and not killed; for a topic, whether the new one grows longer
    /// than the old while the roles are frozen.
    pub(super) is_frozen: bool,
    /// Whether a broker is unregistered from its controller before it is killed, so that its
    /// metadata names no broker.
    pub(super) is_unregistered: bool,
    pub(super) lasts: Duration,
    pub(super) mode: ProxyMode,
    pub(super) random: Random,
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            target,
            lasts,
            ..
        } = self;
        write!(out, "{kind} {target} for {} ms", lasts.as_millis())?;
        match (kind, self.is_frozen) {
            (FaultKind::Broker, _) if self.is_unregistered => out.write_str(", unregistered"),
            (FaultKind::Proxy, _) => write!(out, ", {:?}", self.mode),
            (
                FaultKind::Broker | FaultKind::Postgres | FaultKind::Clickhouse | FaultKind::Redis,
                true,
            ) => out.write_str(", frozen"),
            (FaultKind::Recreate, true) => out.write_str(", longer than before"),
            _ => Ok(()),
        }
    }
}

impl Fault {
    pub(super) fn with_random_target(kind: FaultKind, random: &mut Random, brokers: u32) -> Self {
        let number = random.between(1, 2);
        let role = *random.choose(&[RoleKind::Aggregator, RoleKind::Archiver, RoleKind::Api]);
        let way = *random.choose(&PROXIED_STORES);
        let broker = random.between(1, brokers.into());
        let is_frozen = random.one_in(3);
        let topic = match random.one_in(4) {
            true => schemas::BAR_UPDATES,
            false => schemas::TRADES,
        };
        let mode = match random.below(3) {
            0 => ProxyMode::Cut,
            1 => ProxyMode::Mute,
            _ => ProxyMode::Slow(Duration::from_millis(random.between(20, 400))),
        };
        let target = match kind {
            FaultKind::Kill | FaultKind::Stop => format!("{}-{number}", role.name()),
            FaultKind::Zombie => format!("aggregator-{number}"),
            // One at a time: with three brokers, the other two continue.
            FaultKind::Broker => format!("broker-{broker}"),
            FaultKind::Postgres => "timescaledb".to_owned(),
            FaultKind::Clickhouse => "clickhouse".to_owned(),
            FaultKind::Redis => "redis".to_owned(),
            FaultKind::Proxy => format!("way to {way}"),
            FaultKind::Recreate => topic.to_owned(),
            FaultKind::Garbage => schemas::TRADES.to_owned(),
            FaultKind::Transaction => "transaction".to_owned(),
            FaultKind::Hostile => "hostile".to_owned(),
            FaultKind::Unstorable => "table of bars".to_owned(),
            FaultKind::Settings => "settings".to_owned(),
            FaultKind::Readers => "readers".to_owned(),
            FaultKind::Undrained | FaultKind::Partitions => schemas::TRADES.to_owned(),
            FaultKind::Topic => "topic settings".to_owned(),
        };
        let lasts_ms = match kind {
            // The session timeout of a group is 6 s.
            FaultKind::Zombie => random.between(8_000, 12_000),
            FaultKind::Undrained => random.between(300, 3_000),
            FaultKind::Kill
            | FaultKind::Recreate
            | FaultKind::Garbage
            | FaultKind::Hostile
            | FaultKind::Unstorable
            | FaultKind::Settings
            | FaultKind::Partitions => 0,
            // Longer than the timeout of a call, so that breakers open and connections are closed.
            _ if random.one_in(8) => random.between(8_000, 20_000),
            _ => random.between(300, 4_000),
        };
        let mut own = random.fork();
        // With three brokers, the other two are still registered.
        let is_unregistered =
            kind == FaultKind::Broker && brokers == 1 && !is_frozen && own.one_in(4);
        Self {
            kind,
            target,
            is_frozen,
            is_unregistered,
            lasts: Duration::from_millis(lasts_ms),
            mode,
            random: own,
        }
    }
}
