//! The part stores: bars and ticks a second of one writer.

use anyhow::Context;
use clock::{Clock, SystemClock};
use market::{
    Bar, BarRow, Decimal, HOUR_NS, Instrument, Interval, MINUTE_NS, Position, Side, Trade, TradeId,
};
use schemas::TradesRecord;
use store::{
    BarStore, ClickHouseTickStore, CommitOutcome, PartitionProgress, StoredBar, TickBlock,
    TickRecord, TickStore, TimescaleBarStore, Transaction,
};

use super::part::Bench;
use super::trades::{SYMBOLS, instruments};
use crate::table::millions;

/// Minutes of each symbol in a transaction: 7,000 bars with a thousand symbols.
const MINUTES: u64 = 7;
/// How many transactions of each kind.
const COMMITS: u64 = 60;
/// Ticks of a block, as the archiver cuts them.
const TICKS: u64 = 65_536;
/// Symbols of a block: what a partition has of a thousand.
const TICK_SYMBOLS: u64 = 250;
/// How many blocks.
const BLOCKS: u64 = 30;
/// The partition that is written.
const PARTITION: u32 = 0;

/// Measures both stores.
pub(super) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    bench.at_site("stores", |bench, site| {
        let (new, over, ticks) = bench.runtime.block_on(async {
            let mut writer = BarWriter::new(site.bars().await?).await?;
            let new = writer.commit_all().await?;
            let over = writer.commit_all().await?;
            let ticks = insert_all(&site.ticks().await?).await?;
            anyhow::Ok((new, over, ticks))
        })?;
        let bars = COMMITS * MINUTES * SYMBOLS;
        let table = &mut bench.table;
        let thousands = |seconds: f64| format!("{:.0} k/s", bars as f64 / seconds / 1e3);
        table.figure(
            &format!("bars into TimescaleDB, {bars} in transactions of 7,000, new"),
            &thousands(new),
        );
        table.figure("  the same written over", &thousands(over));
        let count = BLOCKS * TICKS;
        table.figure(
            &format!("ticks into ClickHouse, {count} in blocks of {TICKS}"),
            &millions(count, ticks),
        );
        Ok(())
    })
}

/// Commits bars as an aggregator does.
struct BarWriter {
    bars: TimescaleBarStore,
    instruments: Vec<Instrument>,
    progress: PartitionProgress,
    start_ns: i64,
}

impl BarWriter {
    async fn new(bars: TimescaleBarStore) -> anyhow::Result<Self> {
        let state = bars.load(PARTITION, 1).await?;
        let span_ns = i64::try_from(COMMITS * MINUTES)? * MINUTE_NS;
        Ok(Self {
            bars,
            instruments: instruments(SYMBOLS)?,
            progress: state.progress,
            start_ns: Interval::M1.window(SystemClock.now_ns() - span_ns).start_ns,
        })
    }

    /// Seconds of all commits, without the making of the bars.
    async fn commit_all(&mut self) -> anyhow::Result<f64> {
        let mut spent_ns = 0;
        for number in 0..COMMITS {
            let transaction = self.transaction(number)?;
            let start_ns = SystemClock.monotonic_ns();
            let outcome = self.bars.commit(&transaction).await?;
            spent_ns += SystemClock.monotonic_ns() - start_ns;
            anyhow::ensure!(
                outcome == CommitOutcome::Committed,
                "somebody else writes the partition"
            );
            self.progress = transaction.progress;
        }
        Ok(spent_ns as f64 / 1e9)
    }

    fn transaction(&self, number: u64) -> anyhow::Result<Transaction> {
        let mut bars = Vec::new();
        let mut progress = self.progress;
        for minute in number * MINUTES..(number + 1) * MINUTES {
            let time_ns = self.start_ns + i64::try_from(minute)? * MINUTE_NS;
            for instrument in &self.instruments {
                let position = Position {
                    epoch: progress.epoch,
                    offset: progress.next_offset,
                };
                progress.next_offset += 1;
                let trade = trade(time_ns, position.offset)?;
                bars.push(StoredBar {
                    instrument: instrument.clone(),
                    row: BarRow {
                        window: Interval::M1.window(time_ns),
                        bar: Bar::of(&trade, position, time_ns),
                        closed: true,
                        revision: 0,
                        through: position,
                    },
                });
            }
        }
        Ok(Transaction {
            expected: self.progress.position(),
            progress,
            bars,
            symbols: Vec::new(),
            venues: Vec::new(),
            ids: Vec::new(),
            rejected: Vec::new(),
            dirty: Vec::new(),
            ahead: Vec::new(),
        })
    }
}

fn trade(time_ns: i64, number: u64) -> anyhow::Result<Trade> {
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

/// Seconds of all inserts, without the making of the blocks.
async fn insert_all(ticks: &ClickHouseTickStore) -> anyhow::Result<f64> {
    let instruments = instruments(TICK_SYMBOLS)?;
    let now_ns = SystemClock.now_ns();
    let mut spent_ns = 0;
    for number in 0..BLOCKS {
        let blocks = blocks(&instruments, number * TICKS, now_ns)?;
        let start_ns = SystemClock.monotonic_ns();
        ticks.insert(&blocks).await?;
        spent_ns += SystemClock.monotonic_ns() - start_ns;
    }
    Ok(spent_ns as f64 / 1e9)
}

/// The ticks of so many offsets, each symbol's together.
fn blocks(instruments: &[Instrument], first: u64, now_ns: i64) -> anyhow::Result<Vec<TickBlock>> {
    let hour_ns = now_ns - now_ns.rem_euclid(HOUR_NS);
    let block = |instrument: &Instrument| TickBlock {
        instrument: instrument.clone(),
        hour_ns,
        partition: PARTITION,
        epoch: 1,
        ticks: Vec::new(),
    };
    let mut blocks: Vec<_> = instruments.iter().map(block).collect();
    for offset in first..first + TICKS {
        let time_ns = hour_ns + i64::try_from(offset)?;
        let mut value = Vec::new();
        TradesRecord::encode_trade(&trade(time_ns, offset)?, &mut value);
        let place = usize::try_from(offset % TICK_SYMBOLS)?;
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
