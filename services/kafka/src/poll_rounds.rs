//! Counting the rounds of the polling thread, which serve as the clock of a log's readers.

use std::time::Duration;

use eventlog::LogError;
use tokio::sync::watch;

/// How long a poll round takes.
pub(crate) const ROUND: Duration = Duration::from_millis(250);
/// After how many rounds an unanswered fetch fails, and a reader that does not deliver an existing
/// record is restarted.
pub(crate) const TIMEOUT_ROUNDS: u64 = 60;
/// How many rounds lie between two checks: of a waiting reader's topic, of the end of a partition
/// that delivers no record, and of the clients.
pub(crate) const CHECK_ROUNDS: u64 = 20;
/// After how many rounds without a fetch a reader stops reading ahead.
pub(crate) const UNUSED_ROUNDS: u64 = 240;

/// The poll rounds of a log, until it is closed.
#[derive(Debug)]
pub(crate) struct PollRounds(watch::Sender<PollRoundsState>);

#[derive(Debug, Clone, Copy, Default)]
struct PollRoundsState {
    count: u64,
    is_closed: bool,
}

impl PollRounds {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::default())
    }

    /// Returns how many rounds there have been.
    pub(crate) fn current_round(&self) -> u64 {
        self.0.borrow().count
    }

    /// Begins the next round, and wakes the tasks that wait for it.
    pub(crate) fn advance(&self) {
        self.0.send_modify(|state| state.count += 1);
    }

    /// Closes the log: fails every later call, and wakes the tasks that wait.
    pub(crate) fn close(&self) {
        self.0.send_modify(|state| state.is_closed = true);
    }

    /// Returns [`LogError::Closed`] if the log is closed.
    pub(crate) fn check_open(&self) -> Result<(), LogError> {
        if self.0.borrow().is_closed {
            return Err(LogError::Closed);
        }
        Ok(())
    }

    /// Waits for the next round. Returns at once if the log is closed.
    pub(crate) async fn wait_for_next(&self) {
        let mut receiver = self.0.subscribe();
        let count = receiver.borrow_and_update().count;
        let is_over = |state: &PollRoundsState| state.is_closed || state.count > count;
        // It fails only if the log was dropped, and then no task waits.
        let _ = receiver.wait_for(is_over).await;
    }
}
