//! Everything of a run: servers, processes, what was sent.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use client::RestClient;
use clock::{Clock, SystemClock};
use market::Position;
use store::{
    BarReader, ClickHouseConfig, ClickHouseTickStore, TickStore, TimescaleBarStore, TimescaleConfig,
};

use crate::feed::Feed;
use crate::journal::{Journal, lock};
use crate::kafka::{Kafka, Records};
use crate::ledger::Ledger;
use crate::options::Options;
use crate::proxy::Proxy;
use crate::rest::{client_of_port, request};
use crate::roles::{Role, RoleKind, clean, find_binary};
use crate::stack::{PROXY_PORTS, ROLE_PORTS, Stack, finish};

const POLL: Duration = Duration::from_millis(250);
const READY_WITHIN: Duration = Duration::from_secs(120);

/// The ways to servers that can be cut.
pub(crate) const WAYS: [&str; 3] = ["timescaledb", "clickhouse", "redis"];

/// Everything of a run.
pub(crate) struct World {
    pub(crate) stack: Stack,
    pub(crate) journal: Arc<Journal>,
    pub(crate) kafka: Kafka,
    /// In the order of [`WAYS`].
    pub(crate) proxies: Vec<Proxy>,
    pub(crate) roles: Vec<Arc<Role>>,
    pub(crate) feed: Arc<Feed>,
    pub(crate) ledger: Arc<Ledger>,
    /// What the generations of `trades` held that are no more.
    pub(crate) generations: Mutex<Vec<Records>>,
    /// The epoch of `trades`.
    pub(crate) epoch: AtomicU64,
    pub(crate) bars: TimescaleBarStore,
    pub(crate) ticks: ClickHouseTickStore,
    binary: PathBuf,
    brokers: u32,
}

impl World {
    /// Starts servers, makes tables and topics, and starts every role.
    pub(crate) async fn start(options: &Options, journal: Arc<Journal>) -> anyhow::Result<Self> {
        let binary = find_binary(options.binary.as_deref())?;
        let stack = Stack::up(&options.stack, options.brokers).await?;
        journal.say("the servers run");
        let kafka = Kafka::new(stack.kafka()?, options.partitions)?;
        let urls = [stack.timescaledb()?, stack.clickhouse()?, stack.redis()?];
        let mut proxies = Vec::new();
        for (place, url) in (PROXY_PORTS..).zip(urls) {
            let proxy = Proxy::start(stack.port(place), crate::proxy::host_of(url));
            proxies.push(proxy.await?);
        }
        migrate(&binary, &stack).await?;
        apply_topics(&binary, &stack, options.partitions, options.brokers).await?;
        let roles = roles(&stack, &proxies)?;
        for role in &roles {
            tokio::spawn(Arc::clone(role).keep(binary.clone(), Arc::clone(&journal)));
        }
        let bars = TimescaleBarStore::open(TimescaleConfig::new(stack.timescaledb()?)).await?;
        let config = ClickHouseConfig {
            url: stack.clickhouse()?.to_owned(),
            ..ClickHouseConfig::default()
        };
        let ticks = ClickHouseTickStore::open(&config).await?;
        let ledger: Arc<Ledger> = Arc::default();
        let pods = pods(&roles);
        let feed = Feed::new(
            pods,
            kafka.clone(),
            Arc::clone(&ledger),
            Arc::clone(&journal),
        );
        let world = Self {
            ticks,
            stack,
            journal,
            kafka,
            proxies,
            roles,
            feed,
            ledger,
            generations: Mutex::default(),
            epoch: AtomicU64::new(1),
            bars,
            binary,
            brokers: options.brokers,
        };
        world.wait_ready().await?;
        world.journal.say("every role is ready");
        Ok(world)
    }

    /// Where the API pods are.
    pub(crate) fn pods(&self) -> Vec<RestClient> {
        pods(&self.roles)
    }

    pub(crate) fn roles_of(&self, kind: RoleKind) -> impl Iterator<Item = &Arc<Role>> {
        self.roles.iter().filter(move |role| role.kind == kind)
    }

    /// Makes the topics that are not there.
    pub(crate) async fn apply_topics(&self) -> anyhow::Result<()> {
        apply_topics(
            &self.binary,
            &self.stack,
            self.kafka.partitions(),
            self.brokers,
        )
        .await
    }

    /// Waits until every role says that it is ready.
    pub(crate) async fn wait_ready(&self) -> anyhow::Result<()> {
        let begin_ns = SystemClock.monotonic_ns();
        for role in &self.roles {
            loop {
                let rest = client_of_port(role.port);
                let reason = match request(&rest, |rest| rest.get("/readyz")).await {
                    Ok(response) if response.status == 200 => break,
                    Ok(response) => response.text().into_owned(),
                    Err(error) => error.to_string(),
                };
                let waited = Duration::from_nanos(SystemClock.monotonic_ns() - begin_ns);
                if waited > READY_WITHIN {
                    bail!("{} is not ready after {waited:?}: {reason}", role.name);
                }
                SystemClock.sleep(POLL).await;
            }
        }
        Ok(())
    }

    /// Waits until all that the log holds now is folded and archived, and no minute waits to be
    /// folded anew.
    ///
    /// # Errors
    /// Where it is not within the patience: what is behind.
    pub(crate) async fn wait_drained(&self, patience: Duration) -> anyhow::Result<()> {
        self.wait_passed(patience, true).await
    }

    /// Waits until all that the log holds now is folded and archived.
    ///
    /// # Errors
    /// As [`World::wait_drained`].
    pub(crate) async fn wait_taken_up(&self, patience: Duration) -> anyhow::Result<()> {
        self.wait_passed(patience, false).await
    }

    async fn wait_passed(&self, patience: Duration, and_clean: bool) -> anyhow::Result<()> {
        let begin_ns = SystemClock.monotonic_ns();
        let mut ends = None;
        loop {
            if ends.is_none() {
                ends = self.kafka.ends(schemas::TRADES).await.ok();
            }
            let behind = match &ends {
                Some(ends) => self.behind(ends, and_clean).await,
                None => Err(anyhow::anyhow!("the brokers do not answer")),
            };
            let reason = match behind {
                Ok(None) => return Ok(()),
                Ok(Some(reason)) => reason,
                Err(error) => format!("{error:#}"),
            };
            let waited = Duration::from_nanos(SystemClock.monotonic_ns() - begin_ns);
            if waited > patience {
                bail!("not caught up after {waited:?}: {reason}");
            }
            SystemClock.sleep(POLL).await;
        }
    }

    /// What is not folded and archived up to some ends; none where all is.
    async fn behind(&self, ends: &[u64], and_clean: bool) -> anyhow::Result<Option<String>> {
        let epoch = self.epoch.load(Ordering::Acquire);
        let rows = self.bars.progress().await?;
        for (partition, end) in (0..).zip(ends) {
            let target = Position {
                epoch,
                offset: *end,
            };
            let row = rows.iter().find(|row| row.partition == partition);
            let folded = row.map(|row| Position {
                epoch: row.epoch,
                offset: row.next_offset,
            });
            let archived = self.ticks.position(partition).await?;
            for (what, place) in [("folded", folded), ("archived", archived)] {
                let is_there = place
                    .is_some_and(|place| place.epoch == epoch && place.offset >= target.offset);
                if !is_there {
                    return Ok(Some(format!(
                        "partition {partition} is {what} up to {place:?}, not {target:?}"
                    )));
                }
            }
            let dirty = self.bars.dirty(partition).await?;
            if let Some(first) = dirty.first().filter(|_| and_clean) {
                let rows = dirty.len();
                return Ok(Some(format!(
                    "partition {partition} has {rows} marked: {first:?}"
                )));
            }
        }
        Ok(None)
    }

    /// `candlewick verify` over the stores; what it says.
    ///
    /// # Errors
    /// Where it finds a difference.
    pub(crate) async fn verify(&self) -> anyhow::Result<String> {
        let mut command = clean(&self.binary);
        command
            .args(["verify", "--no-progress"])
            .args(["--brokers", self.stack.kafka()?])
            .args(stores(self.stack.timescaledb()?, self.stack.clickhouse()?));
        finish(&mut command).await
    }

    /// A replay of a tape into a pod, from its beginning to its end.
    ///
    /// # Errors
    /// Where not every line was taken.
    pub(crate) async fn replay(&self, tape: &std::path::Path) -> anyhow::Result<String> {
        let pods = self.pods();
        let pod = pods.first().context("there is no pod")?;
        let mut command = clean(&self.binary);
        command
            .args([
                "replay",
                "--no-progress",
                "--venue",
                "tape",
                "--batch",
                "1000",
            ])
            .args(["--to", pod.base_url()])
            .arg(tape)
            .env("XDG_STATE_HOME", self.journal.folder());
        finish(&mut command).await
    }

    /// Ends every role in order, and then the servers.
    pub(crate) async fn end(&self, keep: bool) -> anyhow::Result<()> {
        for role in &self.roles {
            role.end().await?;
        }
        let begin_ns = SystemClock.monotonic_ns();
        while self.roles.iter().any(|role| role.runs()) {
            if SystemClock.monotonic_ns() - begin_ns > 30_000_000_000 {
                bail!("a role does not end within 30 s of SIGTERM");
            }
            SystemClock.sleep(POLL).await;
        }
        if !keep {
            self.stack.remove().await?;
        }
        Ok(())
    }

    /// Notes the records of a generation that is about to be deleted.
    pub(crate) fn keep_generation(&self, records: Records) {
        lock(&self.generations).push(records);
    }
}

fn pods(roles: &[Arc<Role>]) -> Vec<RestClient> {
    let pods = roles.iter().filter(|role| role.kind == RoleKind::Api);
    pods.map(|role| client_of_port(role.port)).collect()
}

/// The options that say where bars and ticks are.
fn stores(timescaledb: &str, clickhouse: &str) -> Vec<String> {
    let options = [
        ["--timescaledb-url", timescaledb],
        ["--clickhouse-url", clickhouse],
    ];
    options.concat().into_iter().map(str::to_owned).collect()
}

async fn migrate(binary: &std::path::Path, stack: &Stack) -> anyhow::Result<()> {
    let mut command = clean(binary);
    command
        .arg("migrate")
        .args(stores(stack.timescaledb()?, stack.clickhouse()?));
    finish(&mut command).await.map(drop)
}

async fn apply_topics(
    binary: &std::path::Path,
    stack: &Stack,
    partitions: u32,
    brokers: u32,
) -> anyhow::Result<()> {
    let mut command = clean(binary);
    command.args(["topics", "apply", "--brokers", stack.kafka()?]);
    command.args(["--partitions", &partitions.to_string()]);
    command.args(["--replication", &brokers.to_string()]);
    finish(&mut command).await.map(drop)
}

/// Two of each role. One of the two has a name that outlives it.
fn roles(stack: &Stack, proxies: &[Proxy]) -> anyhow::Result<Vec<Arc<Role>>> {
    let [bars, ticks, hot] = [
        proxies[0].instead(stack.timescaledb()?),
        proxies[1].instead(stack.clickhouse()?),
        proxies[2].instead(stack.redis()?),
    ];
    let mut shared = stores(&bars, &ticks);
    shared.extend(["--brokers", stack.kafka()?].map(str::to_owned));
    // Outages last seconds here, not minutes.
    shared.extend(["--breaker-open-for", "2s", "--breaker-timeout", "4s"].map(str::to_owned));
    shared.extend(["--log", "info"].map(str::to_owned));
    let mut roles = Vec::new();
    let kinds = [RoleKind::Api, RoleKind::Aggregator, RoleKind::Archiver];
    for (first, kind) in (ROLE_PORTS..).step_by(2).zip(kinds) {
        for number in [1, 2] {
            let mut arguments = shared.clone();
            if kind == RoleKind::Aggregator {
                arguments.extend(["--redis-url".to_owned(), hot.clone()]);
            }
            if kind != RoleKind::Api && number == 1 {
                arguments.extend(["--instance", "first"].map(str::to_owned));
            }
            let port = stack.port(first + number - 1);
            roles.push(Role::new(kind, number, port, &arguments));
        }
    }
    Ok(roles)
}
