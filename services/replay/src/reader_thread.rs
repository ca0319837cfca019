//! The thread that reads tapes ahead of the senders.

use std::sync::mpsc::SyncSender;

use tokio_util::sync::CancellationToken;

use crate::chunk::{ChunkBuilder, TradesChunk};
use crate::conflicts::SentSymbol;
use crate::instruments::InstrumentTable;
use crate::merged_tapes::MergedTapes;
use crate::problems::LineProblems;
use crate::speed::{ReplaySpeed, SpeedLimiter};
use crate::thread_timer::ThreadTimer;
use crate::unpack::ByteCounter;

/// What the reader thread works on.
pub(crate) struct ReaderThread {
    pub(crate) merged_tapes: MergedTapes,
    /// The number of trades that an earlier run has sent.
    pub(crate) trades_to_skip: u64,
    /// The most trades of a chunk.
    pub(crate) chunk_trades: usize,
    pub(crate) speed: ReplaySpeed,
    /// The number of bytes that were read of the files.
    pub(crate) bytes_read: ByteCounter,
}

/// What the reader thread returns at the end.
pub(crate) struct ReaderThreadOutcome {
    /// Lines that are not trades.
    pub(crate) bad_lines: LineProblems,
    /// The number of trades that an earlier run has sent, by tape.
    pub(crate) skipped: Vec<u64>,
    /// The symbols whose trades were passed on.
    pub(crate) symbols: Vec<SentSymbol>,
}

/// The least and the greatest event time of each instrument's trades, by the index of the
/// instrument.
#[derive(Debug, Default)]
struct InstrumentTimes(Vec<Option<(i64, i64)>>);

impl ReaderThread {
    /// Parses and encodes trades, ahead of the senders by as much as the channel holds.
    pub(crate) fn run(
        mut self,
        tape_count: usize,
        timer: &ThreadTimer,
        stop: &CancellationToken,
        chunks: &SyncSender<TradesChunk>,
    ) -> ReaderThreadOutcome {
        let skipped = self.skip_sent_trades(tape_count);
        let mut limiter = SpeedLimiter::new(self.speed);
        let mut builder = ChunkBuilder::default();
        let mut times = InstrumentTimes::default();
        while let Some((tape_index, trade)) = self.merged_tapes.next_trade() {
            let wait = match self.speed {
                ReplaySpeed::Max => None,
                ReplaySpeed::Times(_) => limiter.time_until_due(trade.trade.time_ns, timer.now()),
            };
            if let Some(wait) = wait {
                if !self.finish_and_send_chunk(&mut builder, chunks) {
                    break;
                }
                timer.wait(wait, stop);
            }
            times.add(trade.instrument_index, trade.trade.time_ns);
            builder.add_trade(tape_index, trade);
            if builder.trade_count() >= self.chunk_trades
                && !self.finish_and_send_chunk(&mut builder, chunks)
            {
                break;
            }
        }
        self.finish_and_send_chunk(&mut builder, chunks);
        ReaderThreadOutcome {
            symbols: times.into_symbols(&self.merged_tapes.instruments),
            bad_lines: self.merged_tapes.bad_lines,
            skipped,
        }
    }

    fn skip_sent_trades(&mut self, tape_count: usize) -> Vec<u64> {
        let mut skipped = vec![0; tape_count];
        for _ in 0..self.trades_to_skip {
            match self.merged_tapes.next_trade() {
                Some((tape_index, _)) => skipped[tape_index] += 1,
                None => break,
            }
        }
        skipped
    }

    /// Passes the gathered trades on to the senders. Returns false if all senders have ended.
    fn finish_and_send_chunk(
        &self,
        builder: &mut ChunkBuilder,
        chunks: &SyncSender<TradesChunk>,
    ) -> bool {
        match builder.finish_chunk(&self.merged_tapes.instruments, self.bytes_read.total()) {
            Some(chunk) => chunks.send(chunk).is_ok(),
            None => true,
        }
    }
}

impl InstrumentTimes {
    fn add(&mut self, instrument_index: u32, time_ns: i64) {
        let index = instrument_index as usize;
        if index >= self.0.len() {
            self.0.resize(index + 1, None);
        }
        let (least, greatest) = self.0[index].get_or_insert((time_ns, time_ns));
        *least = time_ns.min(*least);
        *greatest = time_ns.max(*greatest);
    }

    fn into_symbols(self, instruments: &InstrumentTable) -> Vec<SentSymbol> {
        let sent = |(index, times_ns): (u32, Option<(i64, i64)>)| {
            let instrument = instruments.instrument(index);
            Some(SentSymbol {
                venue: instruments.venue(instrument.venue_index).clone(),
                symbol: instrument.symbol.clone(),
                times_ns: times_ns?,
            })
        };
        (0..).zip(self.0).filter_map(sent).collect()
    }
}
