//! What was wrong with tapes, line by line.

/// How many are shown.
const SHOWN: usize = 20;

/// Something wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The place of its tape on the command line.
    pub(crate) tape: usize,
    /// The line, from 1.
    pub(crate) line: u64,
    /// What is wrong, and what would be right.
    pub(crate) reason: String,
}

/// Faults: all are counted by tape, the first are kept.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults {
    counts: Vec<u64>,
    first: Vec<Fault>,
    /// How many of the first are losses.
    losses: usize,
}

impl Faults {
    /// None yet, of so many tapes.
    pub(crate) fn new(tapes: usize) -> Self {
        Self {
            counts: vec![0; tapes],
            first: Vec::new(),
            losses: 0,
        }
    }

    /// Counts one.
    pub(crate) fn add(&mut self, tape: usize, line: u64, reason: impl Into<String>) {
        self.counts[tape] += 1;
        if self.first.len() < SHOWN {
            self.first.push(Fault {
                tape,
                line,
                reason: reason.into(),
            });
        }
    }

    /// Counts one that a whole tape, or the rest of it, is lost to: shown before all others, however
    /// many there are.
    pub(crate) fn add_loss(&mut self, tape: usize, line: u64, reason: impl Into<String>) {
        self.counts[tape] += 1;
        let reason = reason.into();
        self.first.insert(self.losses, Fault { tape, line, reason });
        self.losses += 1;
    }

    /// How many a tape has.
    pub(crate) fn of_tape(&self, tape: usize) -> u64 {
        self.counts[tape]
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Losses, and the first of the others.
    pub(crate) fn first(&self) -> &[Fault] {
        &self.first
    }
}
