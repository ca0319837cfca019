//! The tasks of the process: started together, watched, and stopped in order.

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use self::signals::{SignalSource, UnixSignals};
use self::stage::StageTokens;
use crate::error::Error;
use crate::health::Health;
use clock::Clock;
use clock::timeout;

mod outcome;
mod signals;
mod stage;
#[cfg(test)]
mod tests;

pub use self::outcome::{Outcome, TaskFailure};
pub use self::stage::Stage;

/// Named tasks under one cancellation token.
///
/// A task that ends before it was told to stops the process, non-zero. A shutdown tells the tasks of
/// one [`Stage`] to stop, waits for them, then goes on to the next, all under one deadline.
#[derive(Debug)]
pub struct Supervisor<C> {
    clock: C,
    health: Health,
    tokens: StageTokens,
    trigger: CancellationToken,
    tasks: JoinSet<anyhow::Result<()>>,
    running: HashMap<Id, Task>,
    failures: Vec<TaskFailure>,
}

#[derive(Debug)]
struct Task {
    name: String,
    stage: Stage,
    finite: bool,
}

impl<C: Clock> Supervisor<C> {
    /// A supervisor without tasks; `health` is told when the shutdown begins.
    pub fn new(clock: C, health: Health) -> Self {
        Self {
            clock,
            health,
            tokens: StageTokens::default(),
            trigger: CancellationToken::new(),
            tasks: JoinSet::new(),
            running: HashMap::new(),
            failures: Vec::new(),
        }
    }

    /// Starts a task that must run until the token it is given is cancelled. On a tokio runtime only.
    pub fn spawn<F, T>(&mut self, stage: Stage, name: impl Into<String>, task: F)
    where
        F: FnOnce(CancellationToken) -> T,
        T: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let handle = self.tasks.spawn(task(self.tokens.of(stage)));
        self.note(
            &handle,
            Task {
                name: name.into(),
                stage,
                finite: false,
            },
        );
    }

    /// Starts a task that may succeed at any time, such as a replay; if it fails, the process stops.
    pub fn spawn_finite<F, T>(&mut self, stage: Stage, name: impl Into<String>, task: F)
    where
        F: FnOnce(CancellationToken) -> T,
        T: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let handle = self.tasks.spawn(task(self.tokens.of(stage)));
        self.note(
            &handle,
            Task {
                name: name.into(),
                stage,
                finite: true,
            },
        );
    }

    /// Cancelled when the tasks of this stage are to stop.
    pub fn token(&self, stage: Stage) -> CancellationToken {
        self.tokens.of(stage)
    }

    /// Cancel this to shut the process down in order, as a signal would.
    pub fn trigger(&self) -> CancellationToken {
        self.trigger.clone()
    }

    /// Runs until SIGINT, SIGTERM, the trigger, the failure of a task or the end of the last one; then
    /// stops the tasks in order, within `deadline`. A second signal ends at once.
    ///
    /// A blocking thread outlives its task: leave with [`Outcome::exit`], which waits for none.
    ///
    /// # Errors
    /// If signals cannot be listened for.
    pub async fn run_until_signal(self, deadline: Duration) -> Result<Outcome, Error> {
        let signals = UnixSignals::listen().map_err(Error::Signals)?;
        Ok(self.run(signals, deadline).await)
    }

    async fn run(mut self, mut signals: impl SignalSource, deadline: Duration) -> Outcome {
        let reason = self.watch(&mut signals).await;
        tracing::info!(reason, ?deadline, "shutting down");
        self.health.drain("shutting down");
        let outcome = tokio::select! {
            biased;
            () = self.drain(deadline) => Outcome::of(std::mem::take(&mut self.failures)),
            signal = signals.next() => {
                tracing::warn!(signal, "ending at once: the second signal");
                Outcome::Forced
            }
        };
        self.tokens.cancel_all();
        self.tasks.abort_all();
        outcome
    }

    /// Waits for a reason to shut down.
    async fn watch(&mut self, signals: &mut impl SignalSource) -> &'static str {
        loop {
            let trigger = self.trigger.clone();
            tokio::select! {
                biased;
                signal = signals.next() => return signal,
                () = trigger.cancelled() => return "asked to by a task",
                joined = self.join_next() => match joined {
                    None => return "every task is done",
                    Some((task, Ok(()))) if task.finite => {
                        tracing::info!(task = task.name, "task done");
                    }
                    Some((task, result)) => {
                        let failure = TaskFailure::early(task.name, result);
                        tracing::error!(%failure, "task ended early");
                        self.failures.push(failure);
                        return "a task ended early";
                    }
                },
            }
        }
    }

    /// Tells stage after stage to stop and waits for each, leaving some of `deadline` to the later
    /// ones; tasks that are still running at its end are failures.
    async fn drain(&mut self, deadline: Duration) {
        let clock = self.clock.clone();
        let begin_ns = clock.monotonic_ns();
        for stage in Stage::IN_ORDER {
            self.tokens.of(stage).cancel();
            let elapsed = Duration::from_nanos(clock.monotonic_ns().saturating_sub(begin_ns));
            let left = stage.ends_within(deadline).saturating_sub(elapsed);
            if timeout(&clock, left, self.join_stage(stage)).await.is_err() {
                tracing::warn!(?stage, running = ?self.names(), "stage did not stop in time");
            }
        }
        for task in self.names() {
            self.failures.push(TaskFailure::Overdue { task });
        }
    }

    /// Waits until no task of this stage or an earlier one is left.
    async fn join_stage(&mut self, stage: Stage) {
        while self.running.values().any(|task| task.stage <= stage) {
            let Some((task, result)) = self.join_next().await else {
                return;
            };
            match TaskFailure::late(task.name.clone(), result) {
                Some(failure) => {
                    tracing::error!(%failure, "task failed while stopping");
                    self.failures.push(failure);
                }
                None => tracing::debug!(task = task.name, "task stopped"),
            }
        }
    }

    /// The next task to end, and how; nothing if none is left. May be dropped and called again.
    async fn join_next(&mut self) -> Option<(Task, Result<(), JoinEnd>)> {
        let (id, result) = match self.tasks.join_next_with_id().await? {
            Ok((id, result)) => (id, result.map_err(JoinEnd::Error)),
            Err(error) => (error.id(), Err(JoinEnd::Lost(error))),
        };
        let task = self
            .running
            .remove(&id)
            .expect("each task is noted when it is started");
        Some((task, result))
    }

    fn note(&mut self, handle: &AbortHandle, task: Task) {
        tracing::debug!(task = task.name, stage = ?task.stage, "task started");
        self.running.insert(handle.id(), task);
    }

    /// The tasks that are running, in alphabetical order.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self
            .running
            .values()
            .map(|task| task.name.clone())
            .collect();
        names.sort();
        names
    }
}

/// How a task ended that did not succeed.
#[derive(Debug)]
enum JoinEnd {
    Error(anyhow::Error),
    Lost(JoinError),
}
