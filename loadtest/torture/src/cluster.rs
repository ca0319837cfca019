//! The cluster under test: servers, processes, and what was sent to them.

mod setup;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use anyhow::{Context, bail};
use client::RestClient;
use clock::{Clock, SystemClock};
use market::Position;
use store::{
    BarReader, ClickHouseConfig, ClickHouseTickStore, TickStore, TimescaleBarStore, TimescaleConfig,
};

use self::setup::{
    api_clients, apply_topics, bar_and_tick_store_arguments, configure_role_processes,
    create_tables,
};
use crate::feed::TradeFeed;
use crate::journal::{Journal, lock};
use crate::kafka::TortureKafkaClient;
use crate::options::Options;
use crate::oracle::GenerationRecords;
use crate::proxy::Proxy;
use crate::rest::{client_of_port, send_blocking_request};
use crate::roaming_client::RoamingClient;
use crate::role_process::{
    RestartingProcess, RoleKind, command_without_configuration, find_binary,
};
use crate::sent_trades::SentTrades;
use crate::stack::{PROXY_PORTS, ServerStack, run_command};

const POLL_INTERVAL: Duration = Duration::from_millis(250);
const READY_TIMEOUT: Duration = Duration::from_secs(120);

/// The stores that are reached through a proxy.
pub(crate) const PROXIED_STORES: [&str; 3] = ["timescaledb", "clickhouse", "redis"];

/// The cluster under test.
pub(crate) struct TortureCluster {
    pub(crate) stack: ServerStack,
    pub(crate) journal: Arc<Journal>,
    pub(crate) kafka: TortureKafkaClient,
    /// The proxies, in the order of [`PROXIED_STORES`].
    pub(crate) proxies: Vec<Proxy>,
    pub(crate) roles: Vec<Arc<RestartingProcess>>,
    pub(crate) feed: Arc<TradeFeed>,
    pub(crate) sent_trades: Arc<SentTrades>,
    /// The clients of the stream, once they have started.
    pub(crate) stream_clients: OnceLock<Vec<Arc<RoamingClient>>>,
    /// The records of the earlier generations of `trades`, the first of which has epoch 1.
    pub(crate) generation_records: Mutex<Vec<GenerationRecords>>,
    /// How many records of each partition the store was made to refuse.
    pub(crate) refused_by_partition: Mutex<BTreeMap<u32, u32>>,
    /// The current epoch of `trades`.
    pub(crate) epoch: AtomicU64,
    pub(crate) bars: TimescaleBarStore,
    pub(crate) ticks: ClickHouseTickStore,
    binary: PathBuf,
    brokers: u32,
}

impl TortureCluster {
    /// Starts servers, creates tables and topics, and starts every role.
    pub(crate) async fn start(options: &Options, journal: Arc<Journal>) -> anyhow::Result<Self> {
        let binary = find_binary(options.binary.as_deref())?;
        let stack = ServerStack::reset_and_start(&options.stack, options.brokers).await?;
        journal.write_and_print("the servers run");
        let kafka = TortureKafkaClient::new(stack.kafka()?, options.partitions)?;
        let urls = [stack.timescaledb()?, stack.clickhouse()?, stack.redis()?];
        let mut proxies = Vec::new();
        for (place, url) in (PROXY_PORTS..).zip(urls) {
            let proxy = Proxy::start(stack.port(place), crate::proxy::host_and_port(url));
            proxies.push(proxy.await?);
        }
        create_tables(&binary, &stack).await?;
        apply_topics(&binary, &stack, options.partitions, options.brokers).await?;
        let roles = configure_role_processes(&stack, &proxies)?;
        for role in &roles {
            tokio::spawn(Arc::clone(role).keep_running(binary.clone(), Arc::clone(&journal)));
        }
        let bars = TimescaleBarStore::open(TimescaleConfig::new(stack.timescaledb()?)).await?;
        let config = ClickHouseConfig {
            url: stack.clickhouse()?.to_owned(),
            ..ClickHouseConfig::default()
        };
        let ticks = ClickHouseTickStore::open(&config).await?;
        let sent_trades: Arc<SentTrades> = Arc::default();
        let pods = api_clients(&roles);
        let feed = TradeFeed::new(
            pods,
            kafka.clone(),
            Arc::clone(&sent_trades),
            Arc::clone(&journal),
        );
        let cluster = Self {
            ticks,
            stack,
            journal,
            kafka,
            proxies,
            roles,
            feed,
            sent_trades,
            stream_clients: OnceLock::new(),
            generation_records: Mutex::default(),
            refused_by_partition: Mutex::default(),
            epoch: AtomicU64::new(1),
            bars,
            binary,
            brokers: options.brokers,
        };
        cluster.wait_until_ready().await?;
        cluster.journal.write_and_print("every role is ready");
        Ok(cluster)
    }

    /// Returns a client of each API pod.
    pub(crate) fn api_clients(&self) -> Vec<RestClient> {
        api_clients(&self.roles)
    }

    pub(crate) fn processes_of_kind(
        &self,
        kind: RoleKind,
    ) -> impl Iterator<Item = &Arc<RestartingProcess>> {
        self.roles.iter().filter(move |role| role.kind == kind)
    }

    /// Creates the topics that do not exist, and sets the settings of the others right.
    pub(crate) async fn apply_topics(&self) -> anyhow::Result<()> {
        apply_topics(
            &self.binary,
            &self.stack,
            self.kafka.partitions(),
            self.brokers,
        )
        .await
    }

    /// Waits until every role is ready.
    pub(crate) async fn wait_until_ready(&self) -> anyhow::Result<()> {
        let begin_ns = SystemClock.monotonic_ns();
        for role in &self.roles {
            loop {
                let rest = client_of_port(role.port);
                let reason = match send_blocking_request(&rest, |rest| rest.get("/readyz")).await {
                    Ok(response) if response.status == 200 => break,
                    Ok(response) => response.text().into_owned(),
                    Err(error) => error.to_string(),
                };
                let waited = Duration::from_nanos(SystemClock.monotonic_ns() - begin_ns);
                if waited > READY_TIMEOUT {
                    bail!("{} is not ready after {waited:?}: {reason}", role.name);
                }
                SystemClock.sleep(POLL_INTERVAL).await;
            }
        }
        Ok(())
    }

    /// Waits until every record that the log holds now is folded and archived, and no minute is
    /// marked to be refolded.
    ///
    /// # Errors
    /// If `limit` passes; the error names a partition that is behind.
    pub(crate) async fn wait_until_processed_and_refolded(
        &self,
        limit: Duration,
    ) -> anyhow::Result<()> {
        self.wait_caught_up(limit, true).await
    }

    /// Waits until every record that the log holds now is folded and archived.
    ///
    /// # Errors
    /// As [`TortureCluster::wait_until_processed_and_refolded`].
    pub(crate) async fn wait_until_processed(&self, limit: Duration) -> anyhow::Result<()> {
        self.wait_caught_up(limit, false).await
    }

    async fn wait_caught_up(&self, limit: Duration, and_refolded: bool) -> anyhow::Result<()> {
        let begin_ns = SystemClock.monotonic_ns();
        let mut ends = None;
        loop {
            if ends.is_none() {
                ends = self.kafka.partition_ends(schemas::TRADES).await.ok();
            }
            let behind = match &ends {
                Some(ends) => self.describe_lag(ends, and_refolded).await,
                None => Err(anyhow::anyhow!("the brokers do not answer")),
            };
            let reason = match behind {
                Ok(None) => return Ok(()),
                Ok(Some(reason)) => reason,
                Err(error) => format!("{error:#}"),
            };
            let waited = Duration::from_nanos(SystemClock.monotonic_ns() - begin_ns);
            if waited > limit {
                bail!("not caught up after {waited:?}: {reason}");
            }
            SystemClock.sleep(POLL_INTERVAL).await;
        }
    }

    /// Describes a partition that is not folded and archived up to its end; `None` if all are.
    async fn describe_lag(
        &self,
        ends: &[u64],
        and_refolded: bool,
    ) -> anyhow::Result<Option<String>> {
        let epoch = self.epoch.load(Ordering::Acquire);
        let rows = self.bars.all_partition_progress().await?;
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
            let archived = self.ticks.next_archive_position(partition).await?;
            for (what, place) in [("folded", folded), ("archived", archived)] {
                let is_there = place
                    .is_some_and(|place| place.epoch == epoch && place.offset >= target.offset);
                if !is_there {
                    return Ok(Some(format!(
                        "partition {partition} is {what} up to {place:?}, not {target:?}"
                    )));
                }
            }
            let dirty = self.bars.dirty_minutes(partition).await?;
            if let Some(first) = dirty.first().filter(|_| and_refolded) {
                let rows = dirty.len();
                return Ok(Some(format!(
                    "partition {partition} has {rows} marked: {first:?}"
                )));
            }
        }
        Ok(None)
    }

    /// Runs `candlewick verify` over the stores; returns its output.
    ///
    /// # Errors
    /// If it finds a difference.
    pub(crate) async fn run_verify_command(&self) -> anyhow::Result<String> {
        let mut command = command_without_configuration(&self.binary);
        command
            .args(["verify", "--no-progress"])
            .args(["--brokers", self.stack.kafka()?])
            .args(bar_and_tick_store_arguments(
                self.stack.timescaledb()?,
                self.stack.clickhouse()?,
            ));
        run_command(&mut command).await
    }

    /// Replays a whole tape into a pod; returns the output of the replay.
    ///
    /// # Errors
    /// If not every line was accepted.
    pub(crate) async fn replay_tape(&self, tape: &std::path::Path) -> anyhow::Result<String> {
        let pods = self.api_clients();
        let pod = pods.first().context("the cluster has no pod")?;
        let mut command = command_without_configuration(&self.binary);
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
        run_command(&mut command).await
    }

    /// Stops every role with SIGTERM, and then removes the servers unless they are to be kept.
    pub(crate) async fn stop(&self, keep_servers: bool) -> anyhow::Result<()> {
        for role in &self.roles {
            role.stop()?;
        }
        let begin_ns = SystemClock.monotonic_ns();
        while self.roles.iter().any(|role| role.is_running()) {
            if SystemClock.monotonic_ns() - begin_ns > 30_000_000_000 {
                bail!("a role does not end within 30 s of SIGTERM");
            }
            SystemClock.sleep(POLL_INTERVAL).await;
        }
        if !keep_servers {
            self.stack.remove().await?;
        }
        Ok(())
    }

    /// Keeps the records of a generation that is, or is about to be, deleted.
    pub(crate) fn keep_generation_records(&self, records: GenerationRecords) {
        lock(&self.generation_records).push(records);
    }
}
