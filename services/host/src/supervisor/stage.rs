//! The order in which tasks stop.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// The stage of a shutdown in which a task is stopped: after every task of the earlier stages has
/// ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ShutdownStage {
    /// First: tasks that bring work in, such as fetchers, feeds and listeners.
    Intake,
    /// Then: tasks that finish this work: they flush, commit, and leave the group.
    Process,
    /// Last: tasks that let the shutdown be watched, such as health and metrics.
    Observe,
}

impl ShutdownStage {
    pub(super) const IN_ORDER: [Self; 3] = [Self::Intake, Self::Process, Self::Observe];

    /// Returns how long after the start of the shutdown this stage may end, if the last stage may
    /// end after `shutdown_timeout`. An intake that hangs must leave the other stages the time to
    /// flush.
    pub(super) fn latest_end_after_start(self, shutdown_timeout: Duration) -> Duration {
        match self {
            Self::Intake => shutdown_timeout / 3,
            Self::Process => shutdown_timeout / 10 * 9,
            Self::Observe => shutdown_timeout,
        }
    }
}

/// A cancellation token for each stage, and their parent token, which cancels all of them.
#[derive(Debug)]
pub(super) struct StageTokens {
    all: CancellationToken,
    intake: CancellationToken,
    process: CancellationToken,
    observe: CancellationToken,
}

impl Default for StageTokens {
    fn default() -> Self {
        let all = CancellationToken::new();
        let [intake, process, observe] = ShutdownStage::IN_ORDER.map(|_| all.child_token());
        Self {
            all,
            intake,
            process,
            observe,
        }
    }
}

impl StageTokens {
    /// Returns the token of a stage.
    pub(super) fn stage_token(&self, stage: ShutdownStage) -> CancellationToken {
        let token = match stage {
            ShutdownStage::Intake => &self.intake,
            ShutdownStage::Process => &self.process,
            ShutdownStage::Observe => &self.observe,
        };
        token.clone()
    }

    /// Cancels the tokens of all stages.
    pub(super) fn cancel_all(&self) {
        self.all.cancel();
    }
}
