//! What was acknowledged, and how far without a gap.

use std::collections::BTreeMap;

use crate::faults::Faults;
use crate::resume::Reached;
use crate::send::Acknowledged;

/// Counts what the log acknowledged.
#[derive(Debug)]
pub(crate) struct Tally {
    /// Trades by tape, refused ones included.
    pub(crate) sent: Vec<u64>,
    /// Those that were refused.
    pub(crate) rejected: Faults,
    /// How far the log has acknowledged everything, from the tapes' beginning.
    pub(crate) reached: Reached,
    next: u64,
    /// Trades and refusals of chunks that came before one that is still missing.
    ahead: BTreeMap<u64, (u64, u64)>,
}

impl Tally {
    /// A tally of a run that goes on after `reached`.
    pub(crate) fn new(tapes: usize, reached: Reached) -> Self {
        Self {
            sent: vec![0; tapes],
            rejected: Faults::new(tapes),
            reached,
            next: 0,
            ahead: BTreeMap::new(),
        }
    }

    /// Adds a chunk.
    pub(crate) fn add(&mut self, chunk: Acknowledged) {
        let refused = chunk.rejected.len() as u64;
        self.ahead.insert(chunk.sequence, (chunk.trades(), refused));
        for (tape, count) in &chunk.counts {
            self.sent[*tape] += count;
        }
        for fault in chunk.rejected {
            self.rejected.add(fault.tape, fault.line, fault.reason);
        }
        while let Some((trades, refused)) = self.ahead.remove(&self.next) {
            self.reached.trades += trades;
            self.reached.rejected += refused;
            self.next += 1;
        }
    }

    /// How many trades this run has sent.
    pub(crate) fn trades(&self) -> u64 {
        self.sent.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;
    use crate::faults::Fault;
    use crate::resume::Reached;
    use crate::send::Acknowledged;

    #[test]
    fn only_what_has_no_gap_before_it_is_reached() {
        let mut tally = Tally::new(2, Reached::default());
        let fault = Fault {
            tape: 1,
            line: 7,
            reason: String::new(),
        };
        let mut reached = Vec::new();
        for sequence in [1, 3, 0, 2] {
            tally.add(Acknowledged {
                sequence,
                counts: vec![(0, 10), (1, sequence)],
                rejected: if sequence == 1 {
                    vec![fault.clone()]
                } else {
                    Vec::new()
                },
                bytes_read: 0,
            });
            reached.push((tally.reached.trades, tally.reached.rejected));
        }
        assert_eq!(reached, [(0, 0), (0, 0), (21, 1), (46, 1)]);
        assert_eq!((tally.trades(), tally.sent), (46, vec![40, 6]));
        assert_eq!(tally.rejected.first(), [fault]);
    }
}
