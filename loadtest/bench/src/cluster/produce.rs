//! The part producer, and the appender of trades for the other parts.

use std::time::Duration;

use clock::{Clock, SystemClock};
use eventlog::Log;
use futures_util::{StreamExt, stream};
use ingest::IngestProducer;
use kafka::{KafkaConfig, KafkaLog};
use market::SettingsChange;
use store::TimescaleBarStore;

use super::arguments::ClusterBenchSettings;
use super::child_process::{ChildReport, run_child};
use super::child_task::ChildTask;
use super::cluster_bench::ClusterBench;
use super::role::format_as_mebibytes;
use super::sandbox::{Sandbox, register_and_open_trades_topic};
use super::trades::{TradeGenerator, bench_venue, venue_settings};
use crate::table::format_rate_in_millions;
use connect::TopicNames;

/// The number of trades in an append.
const TRADES_PER_APPEND: usize = 10_000;
/// The number of concurrent appends.
const CONCURRENT_APPENDS: usize = 4;
/// The default span of the trades' event time, in seconds: half an hour has 30 minute bars of each
/// symbol.
pub(super) const SPAN_SECONDS: u64 = 1_800;

/// Appends generated trades.
pub(super) struct GeneratedTradeAppender {
    log: KafkaLog,
    producer: IngestProducer<KafkaLog, TimescaleBarStore, SystemClock>,
}

impl GeneratedTradeAppender {
    /// Returns the appender of a child process, whose settings name its topics.
    pub(super) async fn from_settings(settings: &ClusterBenchSettings) -> anyhow::Result<Self> {
        let bars = TimescaleBarStore::open(settings.timescaledb.clone()).await?;
        Self::new(&settings.kafka, &settings.topics, bars).await
    }

    /// Returns an appender to the topic of a sandbox.
    pub(super) async fn for_sandbox(sandbox: &Sandbox) -> anyhow::Result<Self> {
        Self::new(
            &sandbox.kafka,
            &sandbox.topics,
            sandbox.open_bar_store().await?,
        )
        .await
    }

    /// Opens the topic and declares the venue.
    async fn new(
        kafka: &KafkaConfig,
        topics: &TopicNames,
        bars: TimescaleBarStore,
    ) -> anyhow::Result<Self> {
        let log = register_and_open_trades_topic(kafka, topics, &bars).await?;
        let producer = IngestProducer::new(log.clone(), bars, SystemClock);
        let settings = SettingsChange::of_all(&venue_settings());
        producer.declare(&bench_venue()?, settings).await?;
        Ok(Self { log, producer })
    }

    /// Appends `count` trades as fast as it can; returns how many the log has accepted.
    pub(super) async fn append_trades(&self, count: u64, span_seconds: u64) -> anyhow::Result<u64> {
        let mut trades = TradeGenerator::ending_now(count, span_seconds)?;
        let (count, producer) = (usize::try_from(count)?, &self.producer);
        let starts = (0..count).step_by(TRADES_PER_APPEND);
        let sizes = starts.map(|sent| TRADES_PER_APPEND.min(count - sent));
        // The appends begin in order, so each symbol's trades are in order in the log.
        let mut appends = stream::iter(sizes)
            .map(|size| {
                let batch = trades.next_trades(size);
                async move { anyhow::Ok(producer.append(batch?).await?) }
            })
            .buffered(CONCURRENT_APPENDS);
        let mut sent = 0;
        while let Some(appended) = appends.next().await {
            sent += appended?.accepted as u64;
        }
        Ok(sent)
    }

    /// Appends `rate` trades a second, in ten appends, without end.
    pub(super) async fn append_continuously(&self, rate: u64) -> anyhow::Result<()> {
        let mut trades = TradeGenerator::starting_now(rate)?;
        let size = usize::try_from(rate / 10)?;
        loop {
            self.producer.append(trades.next_trades(size)?).await?;
            SystemClock.sleep(Duration::from_millis(100)).await;
        }
    }

    /// Returns the end of each partition of the topic.
    pub(super) async fn partition_ends(&self) -> anyhow::Result<Vec<u64>> {
        let mut ends = Vec::new();
        for partition in 0..self.log.partition_count() {
            ends.push(self.log.bounds(partition).await?.end);
        }
        Ok(ends)
    }
}

/// A topic that a child process has filled.
pub(super) struct FilledTopic {
    /// The report of the child process.
    pub(super) report: ChildReport,
    /// The end of each partition.
    pub(super) partition_ends: Vec<u64>,
}

/// Fills the topic of a sandbox from a child process.
pub(super) fn fill_topic(
    bench: &ClusterBench,
    sandbox: &Sandbox,
    trades: u64,
    span_seconds: u64,
) -> anyhow::Result<FilledTopic> {
    let report = run_child(ChildTask::Produce, sandbox, trades, span_seconds)?;
    let partition_ends = bench.runtime.block_on(async {
        GeneratedTradeAppender::for_sandbox(sandbox)
            .await?
            .partition_ends()
            .await
    })?;
    Ok(FilledTopic {
        report,
        partition_ends,
    })
}

/// Measures how fast trades are appended.
pub(super) fn measure_appending(bench: &mut ClusterBench) -> anyhow::Result<()> {
    bench.measure_in_sandbox("producer", |bench, sandbox| {
        let trades = bench.settings.trades;
        let report = run_child(ChildTask::Produce, sandbox, trades, SPAN_SECONDS)?;
        add_append_figures(bench, &report);
        Ok(())
    })
}

/// Adds the figures of an appending process.
fn add_append_figures(bench: &mut ClusterBench, report: &ChildReport) {
    let ChildReport {
        trades,
        seconds,
        cpu_seconds,
        peak_kib,
    } = *report;
    let table = &mut bench.table;
    table.add_and_print_figure(
        &format!("trades appended to Kafka and acknowledged, {trades} of them"),
        &format_rate_in_millions(trades, seconds),
    );
    table.add_and_print_figure(
        "  the same by CPU-second of the process",
        &format_rate_in_millions(trades, cpu_seconds),
    );
    table.add_and_print_figure("  its memory at the most", &format_as_mebibytes(peak_kib));
}
