//! Several tapes as one, in the order in which their trades happened.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use crate::instruments::InstrumentTable;
use crate::problems::LineProblems;
use crate::tape_reader::{TapeReader, TapeTrade};

/// Tapes merged by the event time of each tape's next trade. If two have the same time, the tape
/// that the command line names first comes first. A tape's trades keep their order, even if they
/// are not sorted by time.
pub(crate) struct MergedTapes {
    readers: Vec<TapeReader>,
    /// The next trade of each reader.
    next_trades: Vec<Option<TapeTrade>>,
    /// The event time of each next trade and the index of its reader, the smallest on top.
    order: BinaryHeap<Reverse<(i64, usize)>>,
    /// The venues and symbols that were read so far.
    pub(crate) instruments: InstrumentTable,
    /// The lines that were not trades so far.
    pub(crate) bad_lines: LineProblems,
}

impl MergedTapes {
    /// Merges tapes. `bad_lines` holds the problems that opening them found.
    pub(crate) fn new(mut readers: Vec<TapeReader>, mut bad_lines: LineProblems) -> Self {
        let mut instruments = InstrumentTable::default();
        let next_trades: Vec<_> = readers
            .iter_mut()
            .map(|reader| reader.next_trade(&mut instruments, &mut bad_lines))
            .collect();
        let order = next_trades.iter().enumerate().filter_map(|(index, next)| {
            let next = next.as_ref()?;
            Some(Reverse((next.trade.time_ns, index)))
        });
        Self {
            order: order.collect(),
            readers,
            next_trades,
            instruments,
            bad_lines,
        }
    }

    /// Returns the next trade, and the index of its tape on the command line.
    pub(crate) fn next_trade(&mut self) -> Option<(usize, TapeTrade)> {
        let mut top = self.order.peek_mut()?;
        let Reverse((_, index)) = *top;
        let reader = &mut self.readers[index];
        let following = reader.next_trade(&mut self.instruments, &mut self.bad_lines);
        match &following {
            Some(following) => *top = Reverse((following.trade.time_ns, index)),
            None => _ = PeekMut::pop(top),
        }
        let trade = std::mem::replace(&mut self.next_trades[index], following);
        let trade = trade.expect("a tape in the order has a next trade");
        Some((self.readers[index].tape_index(), trade))
    }
}

#[cfg(test)]
mod tests;
