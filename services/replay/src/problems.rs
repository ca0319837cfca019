//! Problems with lines of the tapes: lines that are not trades, and rejected trades.

/// The most problems that are listed, apart from lost tapes.
const LISTED_LIMIT: usize = 20;

/// A problem with one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LineProblem {
    /// The index of its tape on the command line.
    pub(crate) tape_index: usize,
    /// The line, from 1; 0 if it is not about a particular line.
    pub(crate) line: u64,
    /// What is wrong, and what is expected.
    pub(crate) reason: String,
}

/// Problems with lines: all are counted by tape, and the first ones are listed.
#[derive(Debug, Clone, Default)]
pub(crate) struct LineProblems {
    counts_by_tape: Vec<u64>,
    listed: Vec<LineProblem>,
    /// How many at the beginning of `listed` are lost tapes.
    lost_tapes: usize,
}

impl LineProblems {
    /// Creates the empty list of `tape_count` tapes.
    pub(crate) fn new(tape_count: usize) -> Self {
        Self {
            counts_by_tape: vec![0; tape_count],
            listed: Vec::new(),
            lost_tapes: 0,
        }
    }

    /// Counts a problem, and lists it if it is one of the first.
    pub(crate) fn add(&mut self, tape_index: usize, line: u64, reason: impl Into<String>) {
        self.counts_by_tape[tape_index] += 1;
        if self.listed.len() < LISTED_LIMIT {
            self.listed.push(LineProblem {
                tape_index,
                line,
                reason: reason.into(),
            });
        }
    }

    /// Counts a problem because of which a tape, or the rest of it, is not sent. It is always
    /// listed, before the problems of single lines.
    pub(crate) fn add_lost_tape(
        &mut self,
        tape_index: usize,
        line: u64,
        reason: impl Into<String>,
    ) {
        self.counts_by_tape[tape_index] += 1;
        let problem = LineProblem {
            tape_index,
            line,
            reason: reason.into(),
        };
        self.listed.insert(self.lost_tapes, problem);
        self.lost_tapes += 1;
    }

    /// Returns the number of problems of one tape.
    pub(crate) fn count_of_tape(&self, tape_index: usize) -> u64 {
        self.counts_by_tape[tape_index]
    }

    /// Returns the number of problems of all tapes, listed or not.
    pub(crate) fn total_count(&self) -> u64 {
        self.counts_by_tape.iter().sum()
    }

    /// Returns all lost tapes, and the first of the other problems.
    pub(crate) fn listed(&self) -> &[LineProblem] {
        &self.listed
    }
}
