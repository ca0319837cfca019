//! The part stores: how many bars and ticks one writer writes per second.

use anyhow::Context;
use clock::{Clock, SystemClock};
use market::{
    Bar, BarRow, Decimal, HOUR_NS, Instrument, Interval, MINUTE_NS, Position, Side, Trade, TradeId,
};
use schemas::TradesTopicRecord;
use store::{
    BarStore, ClickHouseTickStore, CommitOutcome, PartitionProgress, PartitionTransaction,
    StoredBar, TickBlock, TickRecord, TickStore, TimescaleBarStore,
};

use super::cluster_bench::ClusterBench;
use super::trades::{SYMBOLS, instruments};
use crate::table::format_rate_in_millions;

/// The minutes of each symbol in a transaction: 7,000 bars with a thousand symbols.
const MINUTES_PER_TRANSACTION: u64 = 7;
/// The number of transactions of each kind.
const TRANSACTIONS: u64 = 60;
/// The number of ticks that are inserted at once, as by the archiver.
const TICKS_PER_INSERT: u64 = 65_536;
/// The number of symbols of an insert: a partition's share of a thousand.
const SYMBOLS_PER_INSERT: u64 = 250;
/// The number of inserts.
const INSERTS: u64 = 30;
/// The partition that is written to.
const PARTITION: u32 = 0;

/// Measures both stores.
pub(super) fn measure_stores(bench: &mut ClusterBench) -> anyhow::Result<()> {
    bench.measure_in_sandbox("stores", |bench, sandbox| {
        let (new, over, ticks) = bench.runtime.block_on(async {
            let mut writer = BarWriter::new(sandbox.open_bar_store().await?).await?;
            let new = writer.commit_all_and_measure_seconds().await?;
            let over = writer.commit_all_and_measure_seconds().await?;
            let ticks = insert_all_and_measure_seconds(&sandbox.open_tick_store().await?).await?;
            anyhow::Ok((new, over, ticks))
        })?;
        let bars = TRANSACTIONS * MINUTES_PER_TRANSACTION * SYMBOLS;
        let table = &mut bench.table;
        let thousands = |seconds: f64| format!("{:.0} k/s", bars as f64 / seconds / 1e3);
        table.add_and_print_figure(
            &format!("bars into TimescaleDB, {bars} in transactions of 7,000, new"),
            &thousands(new),
        );
        table.add_and_print_figure("  the same written over", &thousands(over));
        let count = INSERTS * TICKS_PER_INSERT;
        table.add_and_print_figure(
            &format!("ticks into ClickHouse, {count} in blocks of {TICKS_PER_INSERT}"),
            &format_rate_in_millions(count, ticks),
        );
        Ok(())
    })
}

/// Commits bars like an aggregator.
struct BarWriter {
    bars: TimescaleBarStore,
    instruments: Vec<Instrument>,
    progress: PartitionProgress,
    start_ns: i64,
}

impl BarWriter {
    async fn new(bars: TimescaleBarStore) -> anyhow::Result<Self> {
        let state = bars.load_or_create_partition(PARTITION, 1).await?;
        let span_ns = i64::try_from(TRANSACTIONS * MINUTES_PER_TRANSACTION)? * MINUTE_NS;
        Ok(Self {
            bars,
            instruments: instruments(SYMBOLS)?,
            progress: state.progress,
            start_ns: Interval::M1
                .window_containing(SystemClock.now_ns() - span_ns)
                .start_ns,
        })
    }

    /// Returns the seconds of all commits, without generating the bars.
    async fn commit_all_and_measure_seconds(&mut self) -> anyhow::Result<f64> {
        let mut elapsed_ns = 0;
        for number in 0..TRANSACTIONS {
            let transaction = self.generate_transaction(number)?;
            let start_ns = SystemClock.monotonic_ns();
            let outcome = self.bars.commit(&transaction).await?;
            elapsed_ns += SystemClock.monotonic_ns() - start_ns;
            anyhow::ensure!(
                outcome == CommitOutcome::Committed,
                "another process writes to the partition"
            );
            self.progress = transaction.progress;
        }
        Ok(elapsed_ns as f64 / 1e9)
    }

    fn generate_transaction(&self, number: u64) -> anyhow::Result<PartitionTransaction> {
        let mut bars = Vec::new();
        let mut progress = self.progress;
        for minute in number * MINUTES_PER_TRANSACTION..(number + 1) * MINUTES_PER_TRANSACTION {
            let time_ns = self.start_ns + i64::try_from(minute)? * MINUTE_NS;
            for instrument in &self.instruments {
                let position = Position {
                    epoch: progress.epoch,
                    offset: progress.next_offset,
                };
                progress.next_offset += 1;
                let trade = generate_trade(time_ns, position.offset)?;
                bars.push(StoredBar {
                    instrument: instrument.clone(),
                    row: BarRow {
                        window: Interval::M1.window_containing(time_ns),
                        bar: Bar::from_trade(&trade, position, time_ns),
                        closed: true,
                        revision: 0,
                        provable: true,
                        through: position,
                    },
                });
            }
        }
        Ok(PartitionTransaction {
            bars,
            ..PartitionTransaction::empty(self.progress.next_position(), progress)
        })
    }
}

fn generate_trade(time_ns: i64, number: u64) -> anyhow::Result<Trade> {
    let cents = i64::try_from(10_000 + number * 7 % 5_000)?;
    Ok(Trade {
        time_ns,
        price: Decimal::new(cents, 2)?,
        quantity: Some(Decimal::new(i64::try_from(1 + number % 900)?, 0)?),
        side: Some(Side::Buy),
        id: Some(TradeId::Number(number)),
        scope: None,
        sender: None,
    })
}

/// Returns the seconds of all inserts, without generating the ticks.
async fn insert_all_and_measure_seconds(ticks: &ClickHouseTickStore) -> anyhow::Result<f64> {
    let instruments = instruments(SYMBOLS_PER_INSERT)?;
    let now_ns = SystemClock.now_ns();
    let mut elapsed_ns = 0;
    for number in 0..INSERTS {
        let blocks = generate_blocks(&instruments, number * TICKS_PER_INSERT, now_ns)?;
        let start_ns = SystemClock.monotonic_ns();
        ticks.insert(&blocks).await?;
        elapsed_ns += SystemClock.monotonic_ns() - start_ns;
    }
    Ok(elapsed_ns as f64 / 1e9)
}

/// Generates the ticks of `TICKS_PER_INSERT` offsets from `first_offset`, in a block for each
/// symbol.
fn generate_blocks(
    instruments: &[Instrument],
    first_offset: u64,
    now_ns: i64,
) -> anyhow::Result<Vec<TickBlock>> {
    let hour_ns = now_ns - now_ns.rem_euclid(HOUR_NS);
    let block = |instrument: &Instrument| TickBlock {
        instrument: instrument.clone(),
        hour_ns,
        partition: PARTITION,
        epoch: 1,
        ticks: Vec::new(),
    };
    let mut blocks: Vec<_> = instruments.iter().map(block).collect();
    for offset in first_offset..first_offset + TICKS_PER_INSERT {
        let time_ns = hour_ns + i64::try_from(offset)?;
        let mut value = Vec::new();
        TradesTopicRecord::encode_trade(&generate_trade(time_ns, offset)?, &mut value);
        let place = usize::try_from(offset % SYMBOLS_PER_INSERT)?;
        let block = blocks.get_mut(place).context("a symbol is missing")?;
        block.ticks.push(TickRecord {
            offset,
            append_time_ns: now_ns,
            time_ns,
            value: value.into(),
        });
    }
    Ok(blocks)
}
