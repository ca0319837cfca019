//! What is broken, chosen by the seed.

mod garbage;
mod inflict;
mod recreate;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context;
use clap::ValueEnum;
use clock::{Clock, SystemClock};
use tokio::task::JoinSet;

use crate::journal::lock;
use crate::proxy::Passage;
use crate::random::Random;
use crate::roles::RoleKind;
use crate::world::{WAYS, World};

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Kind {
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
    /// An aggregator that is frozen until another has its partitions, and then goes on
    Zombie,
    /// A topic that is made anew
    Recreate,
    /// Records that nobody can count
    Garbage,
}

impl Kind {
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

    /// How often it comes, against the others.
    const fn weight(self) -> usize {
        match self {
            Self::Kill => 8,
            Self::Recreate => 1,
            Self::Redis => 2,
            _ => 4,
        }
    }
}

impl fmt::Display for Kind {
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

/// A fault, as the seed has chosen it.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    /// Which process, server or way; no two faults of one at once.
    target: String,
    /// Whether it is frozen rather than killed; for a topic, whether the new one grows longer
    /// than the old while the roles are frozen.
    is_frozen: bool,
    /// Whether a broker is forgotten by its controller before it is killed, so that it names none.
    is_unregistered: bool,
    lasts: Duration,
    passage: Passage,
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
            (Kind::Broker, _) if self.is_unregistered => out.write_str(", unregistered"),
            (Kind::Proxy, _) => write!(out, ", {:?}", self.passage),
            (Kind::Broker | Kind::Postgres | Kind::Clickhouse | Kind::Redis, true) => {
                out.write_str(", frozen")
            }
            (Kind::Recreate, true) => out.write_str(", longer than before"),
            _ => Ok(()),
        }
    }
}

impl Fault {
    fn draw(kind: Kind, random: &mut Random, brokers: u32) -> Self {
        let number = random.between(1, 2);
        let role = *random.choose(&[RoleKind::Aggregator, RoleKind::Archiver, RoleKind::Api]);
        let way = *random.choose(&WAYS);
        let broker = random.between(1, brokers.into());
        let is_frozen = random.one_in(3);
        let topic = match random.one_in(4) {
            true => schemas::BAR_UPDATES,
            false => schemas::TRADES,
        };
        let passage = match random.below(3) {
            0 => Passage::Cut,
            1 => Passage::Mute,
            _ => Passage::Slow(Duration::from_millis(random.between(20, 400))),
        };
        let target = match kind {
            Kind::Kill | Kind::Stop => format!("{}-{number}", role.name()),
            Kind::Zombie => format!("aggregator-{number}"),
            // One at a time: with three, the other two carry on.
            Kind::Broker => format!("broker-{broker}"),
            Kind::Postgres => "timescaledb".to_owned(),
            Kind::Clickhouse => "clickhouse".to_owned(),
            Kind::Redis => "redis".to_owned(),
            Kind::Proxy => format!("way to {way}"),
            Kind::Recreate => topic.to_owned(),
            Kind::Garbage => schemas::TRADES.to_owned(),
        };
        let lasts_ms = match kind {
            // A session lasts 6 s.
            Kind::Zombie => random.between(8_000, 12_000),
            Kind::Kill | Kind::Recreate | Kind::Garbage => 0,
            // Longer than a call may take, so that breakers open and connections are given up.
            _ if random.one_in(8) => random.between(8_000, 20_000),
            _ => random.between(300, 4_000),
        };
        let mut own = random.fork();
        // With three the other two go on naming each other.
        let is_unregistered = kind == Kind::Broker && brokers == 1 && !is_frozen && own.one_in(4);
        Self {
            kind,
            target,
            is_frozen,
            is_unregistered,
            lasts: Duration::from_millis(lasts_ms),
            passage,
            random: own,
        }
    }
}

/// A fault that came: from when to when, in milliseconds of the run.
#[derive(Debug, Clone)]
pub(crate) struct Episode {
    pub(crate) kind: Kind,
    pub(crate) from_ms: u64,
    pub(crate) to_ms: u64,
}

/// Which faults are to come.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) kinds: Vec<Kind>,
    pub(crate) count: Option<u32>,
    pub(crate) seconds: u64,
    pub(crate) brokers: u32,
}

/// What has come so far.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// By target: what is broken now.
    active: Mutex<BTreeMap<String, String>>,
    pub(crate) episodes: Mutex<Vec<Episode>>,
}

/// The longest is a topic that is made anew, which waits until all is drained, twice.
const HEALED_WITHIN: Duration = Duration::from_secs(400);
const FAULT_POLL: Duration = Duration::from_millis(50);

impl Faults {
    /// What is broken now.
    pub(crate) fn active(&self) -> String {
        let active = lock(&self.active);
        active.values().cloned().collect::<Vec<_>>().join("; ")
    }

    /// Lets the planned faults come, a few seconds apart, and waits until all is healed.
    ///
    /// # Errors
    /// Where a server does not come back, or a topic that was made anew is not taken up.
    pub(crate) async fn run(
        self: &Arc<Self>,
        world: &Arc<World>,
        plan: Plan,
        mut random: Random,
    ) -> anyhow::Result<()> {
        let begin_ms = world.journal.elapsed_ms();
        let mut first = plan.kinds.clone();
        let weighted: Vec<Kind> = first
            .iter()
            .flat_map(|kind| std::iter::repeat_n(*kind, kind.weight()))
            .collect();
        let mut running: JoinSet<anyhow::Result<()>> = JoinSet::new();
        let mut come = 0;
        loop {
            let ran_ms = world.journal.elapsed_ms() - begin_ms;
            let is_over = match plan.count {
                Some(count) => come >= count,
                None => ran_ms >= plan.seconds * 1_000,
            };
            if is_over {
                break;
            }
            // Each once at first, in any order.
            let kind = match first.is_empty() {
                true => *random.choose(&weighted),
                false => first.swap_remove(random.place(first.len())),
            };
            let fault = Fault::draw(kind, &mut random, plan.brokers);
            let pause = Duration::from_millis(random.between(1_500, 4_500));
            self.wait_free(&fault).await;
            while let Some(healed) = running.try_join_next() {
                healed??;
            }
            come += 1;
            running.spawn(Arc::clone(self).inflict(Arc::clone(world), fault));
            SystemClock.sleep(pause).await;
        }
        while let Some(healed) = running.join_next().await {
            healed??;
        }
        Ok(())
    }

    /// Waits until nothing is the matter with the target; making a topic anew waits for all, and
    /// all for it.
    async fn wait_free(&self, fault: &Fault) {
        loop {
            {
                let active = lock(&self.active);
                let is_alone = fault.kind == Kind::Recreate;
                let recreates = |text: &String| text.starts_with("recreate");
                let is_broker = fault.kind == Kind::Broker;
                let waits = active.contains_key(&fault.target)
                    || (is_alone && !active.is_empty())
                    || (is_broker && active.keys().any(|target| target.starts_with("broker")))
                    || active.values().any(recreates);
                if !waits {
                    break;
                }
            }
            SystemClock.sleep(FAULT_POLL).await;
        }
        lock(&self.active).insert(fault.target.clone(), fault.to_string());
    }

    async fn inflict(self: Arc<Self>, world: Arc<World>, fault: Fault) -> anyhow::Result<()> {
        let from_ms = world.journal.elapsed_ms();
        world.journal.note(&format!("fault: {fault}"));
        let (kind, target) = (fault.kind, fault.target.clone());
        let name = fault.to_string();
        let healed = clock::timeout(&SystemClock, HEALED_WITHIN, fault.inflict(&world)).await;
        let outcome = match healed {
            Ok(outcome) => outcome,
            Err(elapsed) => Err(elapsed.into()),
        };
        let outcome = outcome.with_context(|| format!("{name} does not heal"));
        lock(&self.active).remove(&target);
        let to_ms = world.journal.elapsed_ms();
        world.journal.note(&format!("healed: {kind} {target}"));
        lock(&self.episodes).push(Episode {
            kind,
            from_ms,
            to_ms,
        });
        outcome
    }
}
