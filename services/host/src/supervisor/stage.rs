//! The order in which tasks stop.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// When in a shutdown a task is told to stop: once every task of the stages before it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// First: whatever brings work in, such as fetchers, feeds and listeners.
    Intake,
    /// Then: whatever finishes the work taken in: flushes, commits, leaves the group.
    Process,
    /// Last: whatever lets the shutdown be watched, such as health and metrics.
    Observe,
}

impl Stage {
    pub(super) const IN_ORDER: [Self; 3] = [Self::Intake, Self::Process, Self::Observe];

    /// How much of the shutdown's deadline may have passed by the end of this stage: an intake that
    /// hangs must not cost the others the time to flush.
    pub(super) fn ends_within(self, deadline: Duration) -> Duration {
        match self {
            Self::Intake => deadline / 3,
            Self::Process => deadline / 10 * 9,
            Self::Observe => deadline,
        }
    }
}

/// A token for each stage, under one for all.
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
        let [intake, process, observe] = Stage::IN_ORDER.map(|_| all.child_token());
        Self {
            all,
            intake,
            process,
            observe,
        }
    }
}

impl StageTokens {
    pub(super) fn of(&self, stage: Stage) -> CancellationToken {
        let token = match stage {
            Stage::Intake => &self.intake,
            Stage::Process => &self.process,
            Stage::Observe => &self.observe,
        };
        token.clone()
    }

    pub(super) fn cancel_all(&self) {
        self.all.cancel();
    }
}
