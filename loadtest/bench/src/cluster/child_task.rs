//! The tasks of child processes, whose CPU time is that of the task alone.

use clap::ValueEnum;

/// The task of a child process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ChildTask {
    /// The plain loop
    Plain,
    /// Appending trades
    Produce,
}

impl ChildTask {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Produce => "produce",
        }
    }
}
