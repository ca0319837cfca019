//! Reading ahead, on a thread of its own.

use std::sync::atomic::AtomicBool;
use std::sync::mpsc::SyncSender;

use crate::chunk::{Chunk, Gatherer};
use crate::faults::Faults;
use crate::merge::Merged;
use crate::pace::{Pace, Speed, Timer};
use crate::unpack::BytesRead;

/// What the reader is told.
pub(crate) struct Reading {
    /// The tapes.
    pub(crate) merged: Merged,
    /// How many trades an earlier run has sent.
    pub(crate) skip: u64,
    /// How many trades a chunk holds at most.
    pub(crate) batch: usize,
    /// How fast.
    pub(crate) speed: Speed,
    /// How much of the files was read.
    pub(crate) bytes_read: BytesRead,
}

/// What the reader found.
pub(crate) struct ReadOutcome {
    /// Lines that were no trades.
    pub(crate) faults: Faults,
    /// Trades that an earlier run has sent, by tape.
    pub(crate) skipped: Vec<u64>,
}

impl Reading {
    /// Parses and encodes, ahead of the senders by as much as the channel holds.
    pub(crate) fn run(
        mut self,
        tapes: usize,
        timer: &Timer,
        stop: &AtomicBool,
        chunks: &SyncSender<Chunk>,
    ) -> ReadOutcome {
        let skipped = self.skip_sent(tapes);
        let mut pace = Pace::new(self.speed);
        let mut gatherer = Gatherer::default();
        while let Some((tape, parsed)) = self.merged.next() {
            let wait = match self.speed {
                Speed::Max => None,
                Speed::Times(_) => pace.wait(parsed.trade.time_ns, timer.now()),
            };
            if let Some(wait) = wait {
                if !self.pass_on(&mut gatherer, chunks) {
                    break;
                }
                timer.wait(wait, stop);
            }
            gatherer.push(tape, parsed);
            if gatherer.len() >= self.batch && !self.pass_on(&mut gatherer, chunks) {
                break;
            }
        }
        self.pass_on(&mut gatherer, chunks);
        ReadOutcome {
            faults: self.merged.faults,
            skipped,
        }
    }

    fn skip_sent(&mut self, tapes: usize) -> Vec<u64> {
        let mut skipped = vec![0; tapes];
        for _ in 0..self.skip {
            match self.merged.next() {
                Some((tape, _)) => skipped[tape] += 1,
                None => break,
            }
        }
        skipped
    }

    /// Passes on what was gathered; false where nobody takes it any more.
    fn pass_on(&self, gatherer: &mut Gatherer, chunks: &SyncSender<Chunk>) -> bool {
        match gatherer.cut(&self.merged.names, self.bytes_read.get()) {
            Some(chunk) => chunks.send(chunk).is_ok(),
            None => true,
        }
    }
}
