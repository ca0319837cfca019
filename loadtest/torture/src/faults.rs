//! The faults, chosen by the seed.

mod fault;
mod garbage;
mod hostile;
mod hostile_records;
mod hostile_requests;
mod recreate;
mod recreate_undrained;
mod run_fault;
mod settings;
mod stalled_readers;
mod topic_settings;
mod transaction;
mod unstorable;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context;
use clock::{Clock, SystemClock};
use tokio::task::JoinSet;

use self::fault::Fault;
pub(crate) use self::unstorable::UNSTORABLE_PRICE;
use crate::cluster::TortureCluster;
use crate::fault_kind::FaultKind;
use crate::journal::lock;
use crate::random::Random;

/// When a fault was active, in milliseconds of the run.
#[derive(Debug, Clone)]
pub(crate) struct FaultPeriod {
    pub(crate) kind: FaultKind,
    pub(crate) from_ms: u64,
    pub(crate) to_ms: u64,
}

/// Which faults to inject.
#[derive(Debug)]
pub(crate) struct FaultPlan {
    pub(crate) kinds: Vec<FaultKind>,
    pub(crate) count: Option<u32>,
    /// How long faults are injected, unless their number is given.
    pub(crate) fault_seconds: u64,
    pub(crate) brokers: u32,
}

/// Injects faults, and records when each was active.
#[derive(Debug, Default)]
pub(crate) struct FaultInjector {
    /// The active faults with their descriptions, by target.
    active: Mutex<BTreeMap<String, (FaultKind, String)>>,
    pub(crate) periods: Mutex<Vec<FaultPeriod>>,
}

/// The limit for recreating a topic, the longest fault, which waits twice until all is drained.
const HEAL_TIMEOUT: Duration = Duration::from_secs(400);
const POLL_INTERVAL: Duration = Duration::from_millis(50);

impl FaultInjector {
    /// Describes the active faults.
    pub(crate) fn describe_active(&self) -> String {
        let active = lock(&self.active);
        let texts: Vec<_> = active.values().map(|(_, text)| text.as_str()).collect();
        texts.join("; ")
    }

    /// Injects the planned faults, a few seconds apart, and waits until all are healed.
    ///
    /// # Errors
    /// If a server does not come back, or the roles do not process a recreated topic.
    pub(crate) async fn inject_faults(
        self: &Arc<Self>,
        cluster: &Arc<TortureCluster>,
        plan: FaultPlan,
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
                None => ran_ms >= plan.fault_seconds * 1_000,
            };
            if is_over {
                break;
            }
            // Each kind once at first, in random order.
            let kind = match first.is_empty() {
                true => *random.choose(&weighted),
                false => first.swap_remove(random.index(first.len())),
            };
            let fault = Fault::with_random_target(kind, &mut random, plan.brokers);
            let pause = Duration::from_millis(random.between(1_500, 4_500));
            self.wait_until_no_conflict_and_register(&fault).await;
            while let Some(healed) = running.try_join_next() {
                healed??;
            }
            come += 1;
            running.spawn(Arc::clone(self).run_and_record_fault(Arc::clone(cluster), fault));
            SystemClock.sleep(pause).await;
        }
        while let Some(healed) = running.join_next().await {
            healed??;
        }
        Ok(())
    }

    /// Waits until no active fault conflicts with `fault`, and registers `fault` as active.
    /// Some kinds conflict with every other fault.
    async fn wait_until_no_conflict_and_register(&self, fault: &Fault) {
        loop {
            {
                let active = lock(&self.active);
                let is_alone = fault.kind.is_exclusive();
                let is_broker = fault.kind == FaultKind::Broker;
                let waits = active.contains_key(&fault.target)
                    || (is_alone && !active.is_empty())
                    || (is_broker && active.keys().any(|target| target.starts_with("broker")))
                    || active.values().any(|(kind, _)| kind.is_exclusive());
                if !waits {
                    break;
                }
            }
            SystemClock.sleep(POLL_INTERVAL).await;
        }
        lock(&self.active).insert(fault.target.clone(), (fault.kind, fault.to_string()));
    }

    async fn run_and_record_fault(
        self: Arc<Self>,
        cluster: Arc<TortureCluster>,
        fault: Fault,
    ) -> anyhow::Result<()> {
        let from_ms = cluster.journal.elapsed_ms();
        cluster.journal.write_event(&format!("fault: {fault}"));
        let (kind, target) = (fault.kind, fault.target.clone());
        let name = fault.to_string();
        let healed =
            clock::timeout(&SystemClock, HEAL_TIMEOUT, fault.inject_and_heal(&cluster)).await;
        let outcome = match healed {
            Ok(outcome) => outcome,
            Err(elapsed) => Err(elapsed.into()),
        };
        let outcome = outcome.with_context(|| format!("{name} does not heal"));
        lock(&self.active).remove(&target);
        let to_ms = cluster.journal.elapsed_ms();
        cluster
            .journal
            .write_event(&format!("healed: {kind} {target}"));
        lock(&self.periods).push(FaultPeriod {
            kind,
            from_ms,
            to_ms,
        });
        outcome
    }
}
