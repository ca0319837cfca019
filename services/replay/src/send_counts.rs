//! Counts of the trades that the log has acknowledged, in total and without a gap.

use std::collections::BTreeMap;

use crate::conflicts::AppendedPositions;
use crate::problems::LineProblems;
use crate::resume_file::AcknowledgedTradeCounts;
use crate::sender_threads::ChunkAcknowledgement;

/// Counts the trades that the log has acknowledged.
#[derive(Debug)]
pub(crate) struct SendCounts {
    /// The number of trades by tape, rejected ones included.
    pub(crate) sent: Vec<u64>,
    pub(crate) rejected: LineProblems,
    /// Where the log holds what this run has sent.
    pub(crate) appended: AppendedPositions,
    /// The trades from the beginning of the tapes that are acknowledged without a gap.
    pub(crate) contiguous: AcknowledgedTradeCounts,
    next_sequence: u64,
    /// Chunks that were acknowledged before an earlier one, by sequence.
    out_of_order: BTreeMap<u64, AcknowledgedTradeCounts>,
}

impl SendCounts {
    /// Creates the counts of a run over `tape_count` tapes that resumes after `sent_before`.
    pub(crate) fn new(tape_count: usize, sent_before: AcknowledgedTradeCounts) -> Self {
        Self {
            sent: vec![0; tape_count],
            rejected: LineProblems::new(tape_count),
            appended: AppendedPositions::default(),
            contiguous: sent_before,
            next_sequence: 0,
            out_of_order: BTreeMap::new(),
        }
    }

    /// Counts a chunk.
    pub(crate) fn add_chunk(&mut self, chunk: ChunkAcknowledgement) {
        let acknowledged = AcknowledgedTradeCounts {
            trades: chunk.trade_count(),
            rejected: chunk.rejected.len() as u64,
        };
        self.out_of_order.insert(chunk.sequence, acknowledged);
        for (tape_index, count) in &chunk.trades_by_tape {
            self.sent[*tape_index] += count;
        }
        for offsets in &chunk.appended {
            self.appended.add(offsets);
        }
        for problem in chunk.rejected {
            let (tape_index, line) = (problem.tape_index, problem.line);
            self.rejected.add(tape_index, line, problem.reason);
        }
        while let Some(next) = self.out_of_order.remove(&self.next_sequence) {
            self.contiguous.trades += next.trades;
            self.contiguous.rejected += next.rejected;
            self.next_sequence += 1;
        }
    }

    /// Returns the number of trades that this run has sent.
    pub(crate) fn total_sent(&self) -> u64 {
        self.sent.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::SendCounts;
    use crate::problems::LineProblem;
    use crate::resume_file::AcknowledgedTradeCounts;
    use crate::sender_threads::ChunkAcknowledgement;

    #[test]
    fn only_chunks_without_a_gap_before_them_are_contiguous() {
        let mut counts = SendCounts::new(2, AcknowledgedTradeCounts::default());
        let problem = LineProblem {
            tape_index: 1,
            line: 7,
            reason: String::new(),
        };
        let mut contiguous = Vec::new();
        for sequence in [1, 3, 0, 2] {
            counts.add_chunk(ChunkAcknowledgement {
                sequence,
                trades_by_tape: vec![(0, 10), (1, sequence)],
                rejected: if sequence == 1 {
                    vec![problem.clone()]
                } else {
                    Vec::new()
                },
                appended: Vec::new(),
                bytes_read: 0,
            });
            contiguous.push((counts.contiguous.trades, counts.contiguous.rejected));
        }
        assert_eq!(contiguous, [(0, 0), (0, 0), (21, 1), (46, 1)]);
        assert_eq!((counts.total_sent(), counts.sent), (46, vec![40, 6]));
        assert_eq!(counts.rejected.listed(), [problem]);
    }
}
