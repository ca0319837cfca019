//! The tasks of the process: started together, watched, and stopped in order.

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use clock::{Clock, timeout};
use tokio::task::{AbortHandle, Id, JoinSet};
use tokio_util::sync::CancellationToken;

use self::signals::{SignalSource, UnixSignals};
use self::stage::StageTokens;
use self::task_error::TaskError;
use crate::error::StartupError;
use crate::health::Health;

mod outcome;
mod signals;
mod stage;
mod task_error;
#[cfg(test)]
mod tests;

pub use self::outcome::{ShutdownOutcome, TaskFailure};
pub use self::stage::ShutdownStage;

/// Named tasks under one cancellation token.
///
/// A task that ends before it is stopped ends the process with a non-zero exit code. A shutdown
/// stops the tasks of one [`ShutdownStage`], waits for them, then continues with the next stage,
/// all under one deadline.
#[derive(Debug)]
pub struct Supervisor<C> {
    clock: C,
    health: Health,
    tokens: StageTokens,
    trigger: CancellationToken,
    tasks: JoinSet<anyhow::Result<()>>,
    running: HashMap<Id, SupervisedTask>,
    failures: Vec<TaskFailure>,
}

#[derive(Debug)]
struct SupervisedTask {
    name: String,
    stage: ShutdownStage,
    /// Whether the task may succeed before it is stopped.
    is_finite: bool,
}

impl<C: Clock> Supervisor<C> {
    /// Returns a supervisor without tasks. When the shutdown begins, it makes `health` not ready.
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

    /// Starts a task that must run until its token is cancelled. It has to be called on a tokio
    /// runtime.
    pub fn spawn<F, T>(&mut self, stage: ShutdownStage, name: impl Into<String>, task: F)
    where
        F: FnOnce(CancellationToken) -> T,
        T: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let handle = self.tasks.spawn(task(self.tokens.stage_token(stage)));
        self.track_task(
            &handle,
            SupervisedTask {
                name: name.into(),
                stage,
                is_finite: false,
            },
        );
    }

    /// Starts a task that may succeed at any time, such as a replay. If it fails, the process
    /// stops.
    pub fn spawn_finite<F, T>(&mut self, stage: ShutdownStage, name: impl Into<String>, task: F)
    where
        F: FnOnce(CancellationToken) -> T,
        T: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let handle = self.tasks.spawn(task(self.tokens.stage_token(stage)));
        self.track_task(
            &handle,
            SupervisedTask {
                name: name.into(),
                stage,
                is_finite: true,
            },
        );
    }

    /// Returns the token that stops the tasks of a stage.
    pub fn stage_token(&self, stage: ShutdownStage) -> CancellationToken {
        self.tokens.stage_token(stage)
    }

    /// Returns a token that shuts the process down in order when it is cancelled, as a signal
    /// would.
    pub fn shutdown_trigger(&self) -> CancellationToken {
        self.trigger.clone()
    }

    /// Runs until SIGINT, SIGTERM, the trigger, the failure of a task or the end of the last one.
    /// Then stops the tasks in order, within `shutdown_timeout`. A second signal ends this at once.
    ///
    /// A blocking thread may outlive its task: end the process by [`ShutdownOutcome::exit`], which
    /// waits for no thread.
    ///
    /// # Errors
    /// If the signal handlers cannot be installed.
    pub async fn run_until_shutdown(
        self,
        shutdown_timeout: Duration,
    ) -> Result<ShutdownOutcome, StartupError> {
        let signals = UnixSignals::listen().map_err(StartupError::Signals)?;
        Ok(self.run(signals, shutdown_timeout).await)
    }

    async fn run(
        mut self,
        mut signals: impl SignalSource,
        shutdown_timeout: Duration,
    ) -> ShutdownOutcome {
        let reason = self.wait_for_shutdown_reason(&mut signals).await;
        tracing::info!(reason, timeout = ?shutdown_timeout, "shutting down");
        self.health.start_draining("shutting down");
        let outcome = tokio::select! {
            biased;
            () = self.stop_stages(shutdown_timeout) => {
                ShutdownOutcome::from_failures(std::mem::take(&mut self.failures))
            }
            signal = signals.next_signal() => {
                tracing::warn!(signal, "ending at once: the second signal");
                ShutdownOutcome::Forced
            }
        };
        self.tokens.cancel_all();
        self.tasks.abort_all();
        outcome
    }

    /// Waits for a reason to shut down and returns it.
    async fn wait_for_shutdown_reason(&mut self, signals: &mut impl SignalSource) -> &'static str {
        loop {
            let trigger = self.trigger.clone();
            tokio::select! {
                biased;
                signal = signals.next_signal() => return signal,
                () = trigger.cancelled() => return "a task requested it",
                joined = self.wait_for_next_task_end() => match joined {
                    None => return "every task is done",
                    Some((task, Ok(()))) if task.is_finite => {
                        tracing::info!(task = task.name, "task done");
                    }
                    Some((task, result)) => {
                        let failure = TaskFailure::from_end_before_stop(task.name, result);
                        tracing::error!(%failure, "task ended early");
                        self.failures.push(failure);
                        return "a task ended early";
                    }
                },
            }
        }
    }

    /// Stops the stages in order and waits for each, leaving some of the time to the later
    /// ones. Tasks that are still running at its end are failures.
    async fn stop_stages(&mut self, shutdown_timeout: Duration) {
        let clock = self.clock.clone();
        let begin_ns = clock.monotonic_ns();
        for stage in ShutdownStage::IN_ORDER {
            self.tokens.stage_token(stage).cancel();
            let elapsed = Duration::from_nanos(clock.monotonic_ns().saturating_sub(begin_ns));
            let left = stage
                .latest_end_after_start(shutdown_timeout)
                .saturating_sub(elapsed);
            if timeout(&clock, left, self.wait_for_stage_to_end(stage))
                .await
                .is_err()
            {
                tracing::warn!(?stage, running = ?self.running_names(), "stage did not stop in time");
            }
        }
        for task in self.running_names() {
            self.failures.push(TaskFailure::Overdue { task });
        }
    }

    /// Waits until no task of this stage or an earlier one is left.
    async fn wait_for_stage_to_end(&mut self, stage: ShutdownStage) {
        while self.running.values().any(|task| task.stage <= stage) {
            let Some((task, result)) = self.wait_for_next_task_end().await else {
                return;
            };
            match TaskFailure::from_end_after_stop(task.name.clone(), result) {
                Some(failure) => {
                    tracing::error!(%failure, "task failed while stopping");
                    self.failures.push(failure);
                }
                None => tracing::debug!(task = task.name, "task stopped"),
            }
        }
    }

    /// Waits for the next task to end, and returns it with its result, or `None` if no task is
    /// left. The future may be dropped and the function called again.
    async fn wait_for_next_task_end(&mut self) -> Option<(SupervisedTask, Result<(), TaskError>)> {
        let (id, result) = match self.tasks.join_next_with_id().await? {
            Ok((id, result)) => (id, result.map_err(TaskError::Returned)),
            Err(error) => (error.id(), Err(TaskError::Lost(error))),
        };
        let task = self
            .running
            .remove(&id)
            .expect("each task is tracked from its start");
        Some((task, result))
    }

    fn track_task(&mut self, handle: &AbortHandle, task: SupervisedTask) {
        tracing::debug!(task = task.name, stage = ?task.stage, "task started");
        self.running.insert(handle.id(), task);
    }

    /// Returns the names of the tasks that are running, in alphabetical order.
    fn running_names(&self) -> Vec<String> {
        let mut names: Vec<_> = self
            .running
            .values()
            .map(|task| task.name.clone())
            .collect();
        names.sort();
        names
    }
}
