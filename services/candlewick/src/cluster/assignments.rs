//! The partitions that are this process's, each with a task that works on it.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clock::Clock;
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;

/// A task that works on a partition until it is told to stop.
pub(super) type Work = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>;

/// Starts the work on a partition.
pub(super) type Start = Box<dyn Fn(u32, CancellationToken) -> Work + Send + Sync>;

/// The partitions of this process and their tasks.
pub(super) struct Assignments<C> {
    clock: C,
    start: Start,
    running: BTreeMap<u32, Running>,
    tasks: JoinSet<(u32, anyhow::Result<()>)>,
}

struct Running {
    stop: CancellationToken,
    abort: AbortHandle,
}

impl<C: Clock> Assignments<C> {
    pub(super) fn new(clock: C, start: Start) -> Self {
        Self {
            clock,
            start,
            running: BTreeMap::new(),
            tasks: JoinSet::new(),
        }
    }

    /// The partitions that are worked on, ascending.
    pub(super) fn partitions(&self) -> Vec<u32> {
        self.running.keys().copied().collect()
    }

    /// Begins to work on partitions; those that are worked on already go on.
    pub(super) fn assign(&mut self, partitions: &[u32]) {
        for &partition in partitions {
            if self.running.contains_key(&partition) {
                continue;
            }
            let stop = CancellationToken::new();
            let work = (self.start)(partition, stop.clone());
            let abort = self.tasks.spawn(async move { (partition, work.await) });
            self.running.insert(partition, Running { stop, abort });
        }
    }

    /// Ends the work on partitions in order: each task finishes what it has begun. One that has
    /// not within `patience` is dropped, so that its successor need not wait: it may repeat what
    /// that does, but the store takes it from one of them alone.
    ///
    /// # Errors
    /// Where a task failed.
    pub(super) async fn revoke(
        &mut self,
        partitions: &[u32],
        patience: Duration,
    ) -> anyhow::Result<()> {
        for partition in partitions {
            if let Some(running) = self.running.get(partition) {
                running.stop.cancel();
            }
        }
        let clock = self.clock.clone();
        let ended = self.join(partitions);
        if let Ok(ended) = clock::timeout(&clock, patience, ended).await {
            return ended;
        }
        let left = partitions
            .iter()
            .filter(|one| self.running.contains_key(one));
        let left: Vec<u32> = left.copied().collect();
        tracing::warn!(
            partitions = ?left,
            ?patience,
            "not finished in time: left to whoever gets them next, who goes on from the last commit"
        );
        self.lose(&left).await;
        Ok(())
    }

    /// Drops the work on partitions that are another's already.
    pub(super) async fn lose(&mut self, partitions: &[u32]) {
        for partition in partitions {
            if let Some(running) = self.running.get(partition) {
                running.abort.abort();
            }
        }
        // They end at their next wait; what they failed with matters to nobody any more.
        let _ = self.join(partitions).await;
    }

    /// Ends all work in order, as [`Assignments::revoke`] does.
    ///
    /// # Errors
    /// Where a task failed.
    pub(super) async fn drain(&mut self, patience: Duration) -> anyhow::Result<()> {
        self.revoke(&self.partitions(), patience).await
    }

    /// Waits for a task to end that was not told to, for ever where none does.
    pub(super) async fn failed(&mut self) -> anyhow::Error {
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

    /// Waits until none of the partitions is worked on. The first failure is kept.
    async fn join(&mut self, partitions: &[u32]) -> anyhow::Result<()> {
        let mut first = Ok(());
        while partitions.iter().any(|one| self.running.contains_key(one)) {
            let Some(joined) = self.tasks.join_next_with_id().await else {
                self.running.clear();
                break;
            };
            let result = match joined {
                Ok((_, (partition, result))) => {
                    self.running.remove(&partition);
                    result
                }
                Err(error) => {
                    self.running.retain(|_, task| task.abort.id() != error.id());
                    match error.is_cancelled() {
                        true => Ok(()),
                        false => Err(error).context("the work on a partition panicked"),
                    }
                }
            };
            first = first.and(result);
        }
        first
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use clock::SystemClock;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    /// What tasks did, in order.
    #[derive(Clone, Default)]
    struct Diary(Arc<Mutex<Vec<String>>>);

    impl Diary {
        fn note(&self, what: &str, partition: u32) {
            self.0.lock().unwrap().push(format!("{what} {partition}"));
        }

        fn take(&self) -> Vec<String> {
            let mut entries = std::mem::take(&mut *self.0.lock().unwrap());
            entries.sort();
            entries
        }

        /// Tasks that take three seconds to finish; 7 never does, and 9 fails by itself.
        fn assignments(&self) -> Assignments<SystemClock> {
            let diary = self.clone();
            let start: Start = Box::new(move |partition, stop| {
                let diary = diary.clone();
                Box::pin(async move {
                    diary.note("start", partition);
                    if partition == 9 {
                        anyhow::bail!("partition 9: the topic trades was made anew");
                    }
                    stop.cancelled().await;
                    let finish = Duration::from_secs(if partition == 7 { 3_600 } else { 3 });
                    SystemClock.sleep(finish).await;
                    diary.note("finish", partition);
                    Ok(())
                })
            });
            Assignments::new(SystemClock, start)
        }
    }

    async fn settle() {
        SystemClock.sleep(Duration::from_millis(1)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_revoked_finishes_and_what_stays_goes_on() {
        let diary = Diary::default();
        let mut assignments = diary.assignments();
        assignments.assign(&[0, 1, 2]);
        assignments.assign(&[1, 2, 3]);
        settle().await;
        assert_eq!(diary.take(), ["start 0", "start 1", "start 2", "start 3"]);
        assignments.revoke(&[1, 3, 5], PATIENCE).await.unwrap();
        assert_eq!(diary.take(), ["finish 1", "finish 3"]);
        assert_eq!(assignments.partitions(), [0, 2]);
        assignments.assign(&[1]);
        assignments.drain(PATIENCE).await.unwrap();
        assert_eq!(
            diary.take(),
            ["finish 0", "finish 1", "finish 2", "start 1"]
        );
        assert!(assignments.partitions().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_lost_is_dropped_at_once_and_so_is_what_takes_too_long() {
        let diary = Diary::default();
        let mut assignments = diary.assignments();
        assignments.assign(&[0, 1, 7]);
        settle().await;
        diary.take();
        let begin_ns = SystemClock.monotonic_ns();
        assignments.lose(&[0]).await;
        assert_eq!(SystemClock.monotonic_ns(), begin_ns);
        assert_eq!(assignments.partitions(), [1, 7]);
        assignments.drain(PATIENCE).await.unwrap();
        let waited = SystemClock.monotonic_ns() - begin_ns;
        assert_eq!(Duration::from_nanos(waited), PATIENCE);
        assert_eq!(diary.take(), ["finish 1"]);
        assert!(assignments.partitions().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_fails_is_noticed_whenever_it_does() {
        let diary = Diary::default();
        let mut assignments = diary.assignments();
        assignments.assign(&[1, 9]);
        let failure = assignments.failed().await;
        assert!(failure.to_string().contains("made anew"), "{failure}");
        assert_eq!(assignments.partitions(), [1]);
        assignments.assign(&[9]);
        let failure = assignments.drain(PATIENCE).await.unwrap_err();
        assert!(failure.to_string().contains("made anew"), "{failure}");
        let none = clock::timeout(&SystemClock, PATIENCE, assignments.failed()).await;
        assert!(none.is_err(), "nothing is left to fail");
    }
}
