//! A store that refuses a legal record.

use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, bail};
use clock::{Clock, SystemClock};
use market::{Decimal, HOUR_NS, Position, RejectReason, Trade, TradeId};
use schemas::{TradesTopicRecord, partition_of};
use store::{BarReader, TickVerdict};

use super::fault::Fault;
use super::garbage::GarbageRecord;
use crate::cluster::TortureCluster;
use crate::journal::lock;

/// The price whose bars the store refuses. No other trade has it, and no edit.
pub(crate) const UNSTORABLE_PRICE: &str = "987654.321";
/// A venue with unique ids within the symbol.
const VENUE: &str = "unique";
/// The symbols `S0` to `S3` have other trades; the others have none, but are of every partition.
const SYMBOLS: u64 = 4;
const OTHER_SYMBOLS: u64 = 24;
/// How many records of a partition may be refused in a run. After three within an hour the
/// partition stops, and a record whose acknowledgement was lost is in the log twice.
const MAX_PER_PARTITION: u32 = 2;
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(15);
const LEFT_OUT_TIMEOUT: Duration = Duration::from_secs(120);
const POLL_INTERVAL: Duration = Duration::from_millis(250);

impl Fault {
    /// Makes the store of bars refuse the bars of one price, sends a trade of that price, waits
    /// until it is left out and the partition has gone on, and makes the store accept all again.
    pub(super) async fn refuse_legal_record(
        &mut self,
        cluster: &TortureCluster,
    ) -> anyhow::Result<()> {
        let Some((key, partition)) = self.choose_key_and_count_refusal(cluster) else {
            let text = "no partition may leave another record out";
            cluster.journal.write_event(text);
            return Ok(());
        };
        let drop = |table| format!("ALTER TABLE {table} DROP CONSTRAINT IF EXISTS torture_refuses");
        let tables = ["open_bars", "bars"];
        let add = tables.map(|table| {
            let check = format!("CHECK (high <> {UNSTORABLE_PRICE})");
            let drop = drop(table);
            format!("{drop}; ALTER TABLE {table} ADD CONSTRAINT torture_refuses {check}")
        });
        execute_until_done(cluster, &add).await;
        let outcome = self.send_and_wait_left_out(cluster, key, partition).await;
        execute_until_done(cluster, &tables.map(drop)).await;
        outcome
    }

    /// Returns the key of a symbol whose partition may leave a record out, with that partition, and
    /// counts the record; returns `None` if no partition may.
    fn choose_key_and_count_refusal(&mut self, cluster: &TortureCluster) -> Option<(String, u32)> {
        let partitions = cluster.kafka.partitions();
        let own = (0..SYMBOLS).map(|number| format!("{VENUE}:S{number}"));
        let mut keys: Vec<_> = own.collect();
        self.random.shuffle(&mut keys);
        keys.extend((0..OTHER_SYMBOLS).map(|number| format!("{VENUE}:refused-{number}")));
        let mut refused = lock(&cluster.refused_by_partition);
        keys.into_iter().find_map(|key| {
            let partition = partition_of(key.as_bytes(), partitions);
            let count = refused.entry(partition).or_default();
            (*count < MAX_PER_PARTITION).then(|| {
                *count += 1;
                (key, partition)
            })
        })
    }

    async fn send_and_wait_left_out(
        &mut self,
        cluster: &TortureCluster,
        key: String,
        partition: u32,
    ) -> anyhow::Result<()> {
        let trade = Trade {
            time_ns: SystemClock.now_ns() - HOUR_NS / 2,
            price: UNSTORABLE_PRICE.parse::<Decimal>()?,
            quantity: "1".parse().ok(),
            side: None,
            id: TradeId::parse(&format!("refused-{:016x}", self.random.next_u64())).ok(),
            scope: None,
            sender: None,
        };
        let mut value = Vec::new();
        TradesTopicRecord::encode_trade(&trade, &mut value);
        let record = GarbageRecord {
            what: "refused by the store",
            reason: RejectReason::Unstorable,
            partition,
            key: key.into_bytes(),
            value,
        };
        let offset = record.append(cluster).await;
        let epoch = cluster.epoch.load(Ordering::Acquire);
        let begin_ns = SystemClock.monotonic_ns();
        loop {
            let position = Position { epoch, offset };
            let reason = match is_left_out(cluster, partition, position).await {
                Ok(true) => break,
                Ok(false) => "it is not left out".to_owned(),
                Err(error) => format!("{error:#}"),
            };
            let waited = Duration::from_nanos(SystemClock.monotonic_ns() - begin_ns);
            if waited > LEFT_OUT_TIMEOUT {
                bail!("partition {partition}, offset {offset}, after {waited:?}: {reason}");
            }
            SystemClock.sleep(POLL_INTERVAL).await;
        }
        let text = format!("partition {partition} has left offset {offset} out");
        cluster.journal.write_event(&text);
        // A second copy would be in the log by now: it must be refused too.
        let waited = cluster.wait_until_processed(LEFT_OUT_TIMEOUT).await;
        waited.context("the partitions do not go on")
    }
}

/// Returns whether a record is excluded as unstorable.
async fn is_left_out(
    cluster: &TortureCluster,
    partition: u32,
    position: Position,
) -> anyhow::Result<bool> {
    let Position { epoch, offset } = position;
    let ranges = cluster
        .bars
        .excluded_ranges(partition, epoch, offset, offset + 1)
        .await?;
    let unstorable = TickVerdict::Rejected(RejectReason::Unstorable);
    Ok(ranges.iter().any(|range| range.verdict == unstorable))
}

/// Executes statements in the database of bars, again and again until it has executed them all.
async fn execute_until_done(cluster: &TortureCluster, statements: &[String]) {
    for statement in statements {
        let statement = format!("SET lock_timeout = '2s'; {statement}");
        loop {
            let arguments = ["psql", "-q", "-v", "ON_ERROR_STOP=1", "-c", &statement];
            let ran = cluster.stack.run_server_script("timescaledb", &arguments);
            match clock::timeout(&SystemClock, STATEMENT_TIMEOUT, ran).await {
                Ok(Ok(_)) => break,
                Ok(Err(error)) => cluster.journal.write_event(&format!("psql: {error:#}")),
                Err(_) => cluster.journal.write_event("psql does not end"),
            }
            SystemClock.sleep(POLL_INTERVAL).await;
        }
    }
}
