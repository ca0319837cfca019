//! The part producer, and whoever appends trades for the other parts.

use std::time::Duration;

use clock::{Clock, SystemClock};
use eventlog::Log;
use futures_util::{StreamExt, stream};
use ingest::Producer;
use kafka::{KafkaConfig, KafkaLog};
use store::TimescaleBarStore;

use super::arguments::Settings;
use super::part::Bench;
use super::role::mebibytes;
use super::site::{Site, open_trades};
use super::trades::{Trades, venue, venue_settings};
use super::worker::{Report, Work, have_done};
use crate::table::millions;
use connect::TopicNames;

/// Trades of one append.
const BATCH: usize = 10_000;
/// How many appends are under way at once.
const UNDER_WAY: usize = 4;
/// Over how many seconds of event time trades spread, where nothing else is asked for: half an
/// hour has 30 minutes of each symbol.
pub(super) const SPAN_SECONDS: u64 = 1_800;

/// Appends made-up trades.
pub(super) struct Appender {
    log: KafkaLog,
    producer: Producer<KafkaLog, TimescaleBarStore, SystemClock>,
}

impl Appender {
    /// The one of a process whose settings name its topics.
    pub(super) async fn of(settings: &Settings) -> anyhow::Result<Self> {
        let bars = TimescaleBarStore::open(settings.timescaledb.clone()).await?;
        Self::new(&settings.kafka, &settings.topics, bars).await
    }

    /// The one of a site.
    pub(super) async fn at(site: &Site) -> anyhow::Result<Self> {
        Self::new(&site.kafka, &site.topics, site.bars().await?).await
    }

    /// Declares the venue too.
    async fn new(
        kafka: &KafkaConfig,
        topics: &TopicNames,
        bars: TimescaleBarStore,
    ) -> anyhow::Result<Self> {
        let log = open_trades(kafka, topics, &bars).await?;
        let producer = Producer::new(log.clone(), bars, SystemClock);
        producer.declare(&venue()?, venue_settings()).await?;
        Ok(Self { log, producer })
    }

    /// Appends so many as fast as it can, and answers how many the log has taken.
    pub(super) async fn send(&self, count: u64, span_seconds: u64) -> anyhow::Result<u64> {
        let mut trades = Trades::until_now(count, span_seconds)?;
        let (count, producer) = (usize::try_from(count)?, &self.producer);
        let starts = (0..count).step_by(BATCH);
        let sizes = starts.map(|sent| BATCH.min(count - sent));
        // They are begun in order, so each symbol's trades are in order in the log.
        let mut appends = stream::iter(sizes)
            .map(|size| {
                let batch = trades.take(size);
                async move { anyhow::Ok(producer.append(batch?).await?) }
            })
            .buffered(UNDER_WAY);
        let mut sent = 0;
        while let Some(appended) = appends.next().await {
            sent += appended?.accepted as u64;
        }
        Ok(sent)
    }

    /// Appends so many a second, ten times a second, for ever.
    pub(super) async fn feed(&self, rate: u64) -> anyhow::Result<()> {
        let mut trades = Trades::from_now(rate)?;
        let size = usize::try_from(rate / 10)?;
        loop {
            self.producer.append(trades.take(size)?).await?;
            SystemClock.sleep(Duration::from_millis(100)).await;
        }
    }

    /// Where the partitions of the topic end.
    pub(super) async fn ends(&self) -> anyhow::Result<Vec<u64>> {
        let mut ends = Vec::new();
        for partition in 0..self.log.partitions() {
            ends.push(self.log.bounds(partition).await?.end);
        }
        Ok(ends)
    }
}

/// Fills the topic of a site by a process, and answers where its partitions end then.
pub(super) fn fill(
    bench: &Bench,
    site: &Site,
    trades: u64,
    span_seconds: u64,
) -> anyhow::Result<(Report, Vec<u64>)> {
    let report = have_done(Work::Produce, site, trades, span_seconds)?;
    let ends = bench
        .runtime
        .block_on(async { Appender::at(site).await?.ends().await })?;
    Ok((report, ends))
}

/// Measures the appending of trades.
pub(super) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    bench.at_site("producer", |bench, site| {
        let trades = bench.settings.trades;
        let report = have_done(Work::Produce, site, trades, SPAN_SECONDS)?;
        tell(bench, &report);
        Ok(())
    })
}

/// Prints what one who appends has told.
fn tell(bench: &mut Bench, report: &Report) {
    let Report {
        trades,
        seconds,
        cpu_seconds,
        peak_kib,
    } = *report;
    let table = &mut bench.table;
    table.figure(
        &format!("trades appended to Kafka and acknowledged, {trades} of them"),
        &millions(trades, seconds),
    );
    table.figure(
        "  the same by CPU-second of the process",
        &millions(trades, cpu_seconds),
    );
    table.figure("  its memory at the most", &mebibytes(peak_kib));
}
