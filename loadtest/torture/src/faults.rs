//! The faults, chosen by the seed.

mod garbage;
mod recreate;
mod run_fault;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context;
use clap::ValueEnum;
use clock::{Clock, SystemClock};
use tokio::task::JoinSet;

use crate::cluster::{Cluster, PROXIED_STORES};
use crate::journal::lock;
use crate::proxy::ProxyMode;
use crate::random::Random;
use crate::role_process::RoleKind;

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
    const fn weight(self) -> usize {
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

/// A fault that the seed has chosen.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) kind: FaultKind,
    /// The process, server or proxy. No two faults have the same target at once.
    target: String,
    /// Whether the target is frozen and not killed; for a topic, whether the new one grows longer
    /// than the old while the roles are frozen.
    is_frozen: bool,
    /// Whether a broker is unregistered from its controller before it is killed, so that its metadata
    /// names no broker.
    is_unregistered: bool,
    lasts: Duration,
    mode: ProxyMode,
    random: Random,
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
    fn choose(kind: FaultKind, random: &mut Random, brokers: u32) -> Self {
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
        };
        let lasts_ms = match kind {
            // The session timeout of a group is 6 s.
            FaultKind::Zombie => random.between(8_000, 12_000),
            FaultKind::Kill | FaultKind::Recreate | FaultKind::Garbage => 0,
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

/// When a fault was active, in milliseconds of the run.
#[derive(Debug, Clone)]
pub(crate) struct FaultPeriod {
    pub(crate) kind: FaultKind,
    pub(crate) from_ms: u64,
    pub(crate) to_ms: u64,
}

/// Which faults to inject.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) kinds: Vec<FaultKind>,
    pub(crate) count: Option<u32>,
    pub(crate) seconds: u64,
    pub(crate) brokers: u32,
}

/// The faults so far.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// The active faults, by target.
    active: Mutex<BTreeMap<String, String>>,
    pub(crate) periods: Mutex<Vec<FaultPeriod>>,
}

/// The limit for recreating a topic, the longest fault, which waits twice until all is drained.
const HEAL_TIMEOUT: Duration = Duration::from_secs(400);
const POLL_INTERVAL: Duration = Duration::from_millis(50);

impl Faults {
    /// Describes the active faults.
    pub(crate) fn active(&self) -> String {
        let active = lock(&self.active);
        active.values().cloned().collect::<Vec<_>>().join("; ")
    }

    /// Injects the planned faults, a few seconds apart, and waits until all are healed.
    ///
    /// # Errors
    /// If a server does not come back, or the roles do not process a recreated topic.
    pub(crate) async fn run(
        self: &Arc<Self>,
        cluster: &Arc<Cluster>,
        plan: Plan,
        mut random: Random,
    ) -> anyhow::Result<()> {
        let begin_ms = cluster.journal.elapsed_ms();
        let mut first = plan.kinds.clone();
        let weighted: Vec<FaultKind> = first
            .iter()
            .flat_map(|kind| std::iter::repeat_n(*kind, kind.weight()))
            .collect();
        let mut running: JoinSet<anyhow::Result<()>> = JoinSet::new();
        let mut come = 0;
        loop {
            let ran_ms = cluster.journal.elapsed_ms() - begin_ms;
            let is_over = match plan.count {
                Some(count) => come >= count,
                None => ran_ms >= plan.seconds * 1_000,
            };
            if is_over {
                break;
            }
            // Each kind once at first, in random order.
            let kind = match first.is_empty() {
                true => *random.choose(&weighted),
                false => first.swap_remove(random.index(first.len())),
            };
            let fault = Fault::choose(kind, &mut random, plan.brokers);
            let pause = Duration::from_millis(random.between(1_500, 4_500));
            self.wait_for_target(&fault).await;
            while let Some(healed) = running.try_join_next() {
                healed??;
            }
            come += 1;
            running.spawn(Arc::clone(self).run_fault(Arc::clone(cluster), fault));
            SystemClock.sleep(pause).await;
        }
        while let Some(healed) = running.join_next().await {
            healed??;
        }
        Ok(())
    }

    /// Waits until no fault is active that this one conflicts with, and registers it. Recreating a
    /// topic conflicts with every other fault.
    async fn wait_for_target(&self, fault: &Fault) {
        loop {
            {
                let active = lock(&self.active);
                let is_alone = fault.kind == FaultKind::Recreate;
                let recreates = |text: &String| text.starts_with("recreate");
                let is_broker = fault.kind == FaultKind::Broker;
                let waits = active.contains_key(&fault.target)
                    || (is_alone && !active.is_empty())
                    || (is_broker && active.keys().any(|target| target.starts_with("broker")))
                    || active.values().any(recreates);
                if !waits {
                    break;
                }
            }
            SystemClock.sleep(POLL_INTERVAL).await;
        }
        lock(&self.active).insert(fault.target.clone(), fault.to_string());
    }

    async fn run_fault(self: Arc<Self>, cluster: Arc<Cluster>, fault: Fault) -> anyhow::Result<()> {
        let from_ms = cluster.journal.elapsed_ms();
        cluster.journal.write(&format!("fault: {fault}"));
        let (kind, target) = (fault.kind, fault.target.clone());
        let name = fault.to_string();
        let healed = clock::timeout(&SystemClock, HEAL_TIMEOUT, fault.run_fault(&cluster)).await;
        let outcome = match healed {
            Ok(outcome) => outcome,
            Err(elapsed) => Err(elapsed.into()),
        };
        let outcome = outcome.with_context(|| format!("{name} does not heal"));
        lock(&self.active).remove(&target);
        let to_ms = cluster.journal.elapsed_ms();
        cluster.journal.write(&format!("healed: {kind} {target}"));
        lock(&self.periods).push(FaultPeriod {
            kind,
            from_ms,
            to_ms,
        });
        outcome
    }
}
