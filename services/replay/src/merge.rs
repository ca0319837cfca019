//! Several tapes as one, in the order in which their trades happened.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use crate::faults::Faults;
use crate::names::Names;
use crate::source::{Parsed, Source};

/// Tapes merged by the event time of the next trade of each; of equal times the tape named
/// first goes first. A tape's own disorder stays as it is.
pub(crate) struct Merged {
    sources: Vec<Source>,
    heads: Vec<Option<Parsed>>,
    /// Event time and place of each head, the least on top.
    order: BinaryHeap<Reverse<(i64, usize)>>,
    /// The names that were read so far.
    pub(crate) names: Names,
    /// The lines that were no trades so far.
    pub(crate) faults: Faults,
}

impl Merged {
    /// Merges tapes; `faults` are those that opening them found.
    pub(crate) fn new(mut sources: Vec<Source>, mut faults: Faults) -> Self {
        let mut names = Names::default();
        let heads: Vec<_> = sources
            .iter_mut()
            .map(|source| source.next(&mut names, &mut faults))
            .collect();
        let order = heads.iter().enumerate().filter_map(|(place, head)| {
            let head = head.as_ref()?;
            Some(Reverse((head.trade.time_ns, place)))
        });
        Self {
            order: order.collect(),
            sources,
            heads,
            names,
            faults,
        }
    }

    /// The next trade, and the place of its tape on the command line.
    pub(crate) fn next(&mut self) -> Option<(usize, Parsed)> {
        let mut top = self.order.peek_mut()?;
        let Reverse((_, place)) = *top;
        let source = &mut self.sources[place];
        let next = source.next(&mut self.names, &mut self.faults);
        match &next {
            Some(next) => *top = Reverse((next.trade.time_ns, place)),
            None => _ = PeekMut::pop(top),
        }
        let head = std::mem::replace(&mut self.heads[place], next);
        let parsed = head.expect("a tape in the order has a next trade");
        Some((self.sources[place].place(), parsed))
    }
}

#[cfg(test)]
mod tests;
