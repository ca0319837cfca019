//! Which part of the fold is stored, and the commit that is under way.

use std::time::Duration;

use market::Position;
use store::{CommitOutcome, StoreError};

use super::background::PendingAnswer;

/// The answer to a commit.
pub(super) type CommitAnswer = PendingAnswer<Result<CommitOutcome, StoreError>>;

/// Which part of the fold is stored, and the commit that is under way. There is at most one.
pub(super) struct CommitState {
    /// The position of the stored state.
    stored: Position,
    under_way: Option<CommitUnderWay>,
    /// Bytes of the records folded since the session began.
    folded_bytes: u64,
    /// Those of them whose commit has ended.
    committed_bytes: u64,
}

struct CommitUnderWay {
    answer: CommitAnswer,
    /// The position of the stored state once it is committed.
    target: Position,
    begin_ns: u64,
    /// [`CommitState::folded_bytes`] when it began.
    folded_bytes: u64,
}

impl CommitState {
    pub(super) const fn new(stored: Position) -> Self {
        Self {
            stored,
            under_way: None,
            folded_bytes: 0,
            committed_bytes: 0,
        }
    }

    /// Returns the position of the stored state, as far as it is known.
    pub(super) const fn stored_position(&self) -> Position {
        self.stored
    }

    /// Returns the position of the stored state once the commit under way has succeeded.
    pub(super) fn target_position(&self) -> Position {
        let target = self.under_way.as_ref().map(|commit| commit.target);
        target.unwrap_or(self.stored)
    }

    pub(super) const fn is_commit_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// Returns whether `position` is where this worker has stored the state, or is storing it.
    pub(super) fn is_own_position(&self, position: Option<Position>) -> bool {
        let target = self.under_way.as_ref().map(|commit| commit.target);
        position == Some(self.stored) || (target.is_some() && position == target)
    }

    pub(super) const fn add_folded_bytes(&mut self, bytes: u64) {
        self.folded_bytes += bytes;
    }

    /// Returns the bytes of records that are folded and not committed.
    pub(super) const fn uncommitted_bytes(&self) -> u64 {
        self.folded_bytes - self.committed_bytes
    }

    /// Keeps the answer of a commit that has begun and moves the stored state to `target`.
    pub(super) fn record_begun_commit(
        &mut self,
        answer: CommitAnswer,
        target: Position,
        begin_ns: u64,
    ) {
        self.under_way = Some(CommitUnderWay {
            answer,
            target,
            begin_ns,
            folded_bytes: self.folded_bytes,
        });
    }

    /// Waits for the outcome of the commit under way; for ever if there is none. The future may be
    /// dropped and called again until it has returned.
    pub(super) async fn wait_for_outcome(&mut self) -> Result<CommitOutcome, StoreError> {
        match &mut self.under_way {
            Some(commit) => {
                let outcome = (&mut commit.answer).await;
                outcome.expect("the driver of background calls lives as long as the session")
            }
            None => std::future::pending().await,
        }
    }

    /// Ends the commit under way, which succeeded. Returns how long it took.
    pub(super) fn end_successful_commit(&mut self, now_ns: u64) -> Duration {
        let commit = self.under_way.take().expect("a commit has ended");
        self.stored = commit.target;
        self.committed_bytes = commit.folded_bytes;
        Duration::from_nanos(now_ns - commit.begin_ns)
    }
}
