//! The tasks of a process that work on partitions.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clock::Clock;
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;

/// A task that works on a partition until its token is cancelled.
pub(super) type PartitionTask = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>;

/// Creates the task of a partition, which ends when the token is cancelled.
pub(super) type PartitionTaskFactory =
    Box<dyn Fn(u32, CancellationToken) -> PartitionTask + Send + Sync>;

/// The partitions that this process works on, with a task for each.
pub(super) struct PartitionTasks<C> {
    clock: C,
    task_factory: PartitionTaskFactory,
    running: BTreeMap<u32, RunningPartitionTask>,
    tasks: JoinSet<(u32, anyhow::Result<()>)>,
    /// A failure of a task that ended while others were waited for, and that was not returned yet.
    unreported_failure: Option<anyhow::Error>,
}

struct RunningPartitionTask {
    stop: CancellationToken,
    abort: AbortHandle,
}

impl<C: Clock> PartitionTasks<C> {
    pub(super) fn new(clock: C, task_factory: PartitionTaskFactory) -> Self {
        Self {
            clock,
            task_factory,
            running: BTreeMap::new(),
            tasks: JoinSet::new(),
            unreported_failure: None,
        }
    }

    /// Returns the partitions that have a task, in ascending order.
    pub(super) fn partitions(&self) -> Vec<u32> {
        self.running.keys().copied().collect()
    }

    /// Starts the tasks of partitions. A partition that already has a task keeps it.
    pub(super) fn start(&mut self, partitions: &[u32]) {
        for &partition in partitions {
            if self.running.contains_key(&partition) {
                continue;
            }
            let stop = CancellationToken::new();
            let task = (self.task_factory)(partition, stop.clone());
            let abort = self.tasks.spawn(async move { (partition, task.await) });
            self.running
                .insert(partition, RunningPartitionTask { stop, abort });
        }
    }

    /// Stops the tasks of `partitions` and waits until each has finished the work that it has
    /// begun. A task that has not finished within `timeout` is aborted, so that the next owner of
    /// the partition does not wait any longer. That owner may repeat work of the task, but the
    /// store accepts the work from only one of them.
    ///
    /// # Errors
    /// If a task failed.
    pub(super) async fn stop_and_abort_after_timeout(
        &mut self,
        partitions: &[u32],
        timeout: Duration,
    ) -> anyhow::Result<()> {
        for partition in partitions {
            if let Some(running) = self.running.get(partition) {
                running.stop.cancel();
            }
        }
        let clock = self.clock.clone();
        let ended = self.wait_until_ended(partitions, &[]);
        if clock::timeout(&clock, timeout, ended).await.is_ok() {
            return self.unreported_failure.take().map_or(Ok(()), Err);
        }
        let unfinished = partitions
            .iter()
            .filter(|one| self.running.contains_key(one));
        let unfinished: Vec<u32> = unfinished.copied().collect();
        tracing::warn!(
            partitions = ?unfinished,
            ?timeout,
            "not finished in time: aborted; the next owner continues from the last commit"
        );
        self.abort(&unfinished).await;
        self.unreported_failure.take().map_or(Ok(()), Err)
    }

    /// Aborts the tasks of partitions that another member owns already.
    pub(super) async fn abort(&mut self, partitions: &[u32]) {
        for partition in partitions {
            if let Some(running) = self.running.get(partition) {
                running.abort.abort();
            }
        }
        // They end at their next await point; whether they fail there does not matter any more.
        self.wait_until_ended(partitions, partitions).await;
    }

    /// Stops all tasks, as [`PartitionTasks::stop_and_abort_after_timeout`] does for some.
    ///
    /// # Errors
    /// If a task failed.
    pub(super) async fn stop_all_and_abort_after_timeout(
        &mut self,
        timeout: Duration,
    ) -> anyhow::Result<()> {
        self.stop_and_abort_after_timeout(&self.partitions(), timeout)
            .await
    }

    /// Waits until a task ends that was not stopped, and returns the error. Waits for ever if
    /// every task keeps running.
    pub(super) async fn wait_for_failure(&mut self) -> anyhow::Error {
        if let Some(failure) = self.unreported_failure.take() {
            return failure;
        }
        loop {
            let Some(joined) = self.tasks.join_next().await else {
                return std::future::pending().await;
            };
            match joined {
                Ok((partition, result)) => {
                    self.running.remove(&partition);
                    return match result {
                        Ok(()) => anyhow!("the work on partition {partition} ended early"),
                        Err(error) => error,
                    };
                }
                Err(error) if error.is_cancelled() => {}
                Err(error) => return anyhow!(error).context("the work on a partition panicked"),
            }
        }
    }

    /// Waits until no task of `partitions` is running. A failure of any task that ends meanwhile
    /// is kept, to be returned to the caller that waits for failures, except those of the
    /// partitions in `ignore_failures_of`. May be dropped and called again.
    async fn wait_until_ended(&mut self, partitions: &[u32], ignore_failures_of: &[u32]) {
        while partitions.iter().any(|one| self.running.contains_key(one)) {
            let Some(joined) = self.tasks.join_next_with_id().await else {
                self.running.clear();
                return;
            };
            let (partition, result) = match joined {
                Ok((_, (partition, result))) => (Some(partition), result),
                Err(error) => {
                    let is_its_task = |task: &RunningPartitionTask| task.abort.id() == error.id();
                    let ended = self.running.iter().find(|(_, task)| is_its_task(task));
                    let partition = ended.map(|(partition, _)| *partition);
                    let result = match error.is_cancelled() {
                        true => Ok(()),
                        false => Err(error).context("the work on a partition panicked"),
                    };
                    (partition, result)
                }
            };
            if let Some(partition) = partition {
                self.running.remove(&partition);
            }
            let is_failure_ignored =
                partition.is_some_and(|partition| ignore_failures_of.contains(&partition));
            if let Err(failure) = result
                && !is_failure_ignored
            {
                self.unreported_failure.get_or_insert(failure);
            }
        }
    }
}

#[cfg(test)]
mod tests;
