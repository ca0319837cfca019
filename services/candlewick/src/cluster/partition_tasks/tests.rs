use std::sync::{Arc, Mutex};

use clock::SystemClock;

use super::*;

const TIMEOUT: Duration = Duration::from_secs(10);

/// The events of the tasks, in order.
#[derive(Clone, Default)]
struct TaskEvents(Arc<Mutex<Vec<String>>>);

impl TaskEvents {
    fn record(&self, event: &str, partition: u32) {
        self.0.lock().unwrap().push(format!("{event} {partition}"));
    }

    fn take_sorted(&self) -> Vec<String> {
        let mut entries = std::mem::take(&mut *self.0.lock().unwrap());
        entries.sort();
        entries
    }

    /// Returns tasks that take three seconds to finish; that of partition 7 takes an hour, and
    /// that of partition 9 fails by itself.
    fn tasks(&self) -> PartitionTasks<SystemClock> {
        let events = self.clone();
        let task_factory: PartitionTaskFactory = Box::new(move |partition, stop| {
            let events = events.clone();
            Box::pin(async move {
                events.record("start", partition);
                if partition == 9 {
                    anyhow::bail!("partition 9: the topic trades was recreated");
                }
                stop.cancelled().await;
                let finish = Duration::from_secs(if partition == 7 { 3_600 } else { 3 });
                SystemClock.sleep(finish).await;
                events.record("finish", partition);
                Ok(())
            })
        });
        PartitionTasks::new(SystemClock, task_factory)
    }
}

async fn let_tasks_run() {
    SystemClock.sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn revoked_partitions_finish_and_the_others_continue() {
    let events = TaskEvents::default();
    let mut tasks = events.tasks();
    tasks.start(&[0, 1, 2]);
    tasks.start(&[1, 2, 3]);
    let_tasks_run().await;
    assert_eq!(
        events.take_sorted(),
        ["start 0", "start 1", "start 2", "start 3"]
    );
    tasks
        .stop_and_abort_after_timeout(&[1, 3, 5], TIMEOUT)
        .await
        .unwrap();
    assert_eq!(events.take_sorted(), ["finish 1", "finish 3"]);
    assert_eq!(tasks.partitions(), [0, 2]);
    tasks.start(&[1]);
    tasks
        .stop_all_and_abort_after_timeout(TIMEOUT)
        .await
        .unwrap();
    assert_eq!(
        events.take_sorted(),
        ["finish 0", "finish 1", "finish 2", "start 1"]
    );
    assert!(tasks.partitions().is_empty());
}

#[tokio::test(start_paused = true)]
async fn lost_partitions_are_aborted_at_once_and_so_are_those_that_take_too_long() {
    let events = TaskEvents::default();
    let mut tasks = events.tasks();
    tasks.start(&[0, 1, 7]);
    let_tasks_run().await;
    events.take_sorted();
    let begin_ns = SystemClock.monotonic_ns();
    tasks.abort(&[0]).await;
    assert_eq!(SystemClock.monotonic_ns(), begin_ns);
    assert_eq!(tasks.partitions(), [1, 7]);
    tasks
        .stop_all_and_abort_after_timeout(TIMEOUT)
        .await
        .unwrap();
    let waited = SystemClock.monotonic_ns() - begin_ns;
    assert_eq!(Duration::from_nanos(waited), TIMEOUT);
    assert_eq!(events.take_sorted(), ["finish 1"]);
    assert!(tasks.partitions().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_failed_task_is_noticed_whenever_it_fails() {
    let events = TaskEvents::default();
    let mut tasks = events.tasks();
    tasks.start(&[1, 9]);
    let failure = tasks.wait_for_failure().await;
    assert!(failure.to_string().contains("recreated"), "{failure}");
    assert_eq!(tasks.partitions(), [1]);
    tasks.start(&[9]);
    let failure = tasks
        .stop_all_and_abort_after_timeout(TIMEOUT)
        .await
        .unwrap_err();
    assert!(failure.to_string().contains("recreated"), "{failure}");
    let none = clock::timeout(&SystemClock, TIMEOUT, tasks.wait_for_failure()).await;
    assert!(none.is_err(), "nothing is left to fail");
}

#[tokio::test(start_paused = true)]
async fn a_failure_while_another_partition_is_revoked_or_lost_is_not_lost() {
    for is_lost in [false, true] {
        let events = TaskEvents::default();
        let mut tasks = events.tasks();
        tasks.start(&[7]);
        let_tasks_run().await;
        // Partition 9 fails while partition 7 is waited for, which is aborted in the end.
        tasks.start(&[9]);
        if is_lost {
            tasks.abort(&[7]).await;
            tasks.start(&[7]);
            let_tasks_run().await;
            tasks.abort(&[7]).await;
        } else {
            let failure = tasks
                .stop_and_abort_after_timeout(&[7], TIMEOUT)
                .await
                .unwrap_err();
            assert!(failure.to_string().contains("recreated"), "{failure}");
            continue;
        }
        let failure = clock::timeout(&SystemClock, TIMEOUT, tasks.wait_for_failure()).await;
        assert!(failure.unwrap().to_string().contains("recreated"));
    }
}
