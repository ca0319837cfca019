//! Partitions that stand still: records exist, and the process does not get past them.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clock::{Clock, SystemClock};
use host::HealthComponent;
use kafka::UnreadRange;
use metrics::{Gauge, Unit, describe_gauge, gauge};

use super::servers::GuardedTopic;

/// The name of the component in `/readyz`.
pub(super) const READING_COMPONENT: &str = "reading";
const STANDSTILL_METRIC: &str = "candlewick_standstill_seconds";
/// The time between two looks at a partition.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// A partition that has not moved for this time, although there are records, stands still.
const STANDSTILL_AFTER: Duration = Duration::from_secs(5);

/// Watches the partitions of a topic that the process works on. Its component is ready as long as
/// none of them stands still.
///
/// It compares what was fetched with the end of the log. So it notices brokers that keep records
/// back, brokers that do not deliver them, and a task of the partition that does not take them.
#[derive(Clone)]
pub(super) struct StandstillWatch {
    topic_name: &'static str,
    topic: GuardedTopic,
    report: StandstillReport,
}

impl StandstillWatch {
    /// Returns the watch of a topic, which the stores know as `topic_name`.
    pub(super) fn new(
        topic_name: &'static str,
        topic: &GuardedTopic,
        component: HealthComponent,
    ) -> Self {
        describe_gauge!(
            STANDSTILL_METRIC,
            Unit::Seconds,
            "For how long a partition has had records of which none was fetched; 0 if it moves."
        );
        component.ready();
        Self {
            topic_name,
            topic: topic.clone(),
            report: StandstillReport {
                component,
                reasons: Arc::default(),
            },
        }
    }

    /// Runs the task of a partition, and watches the partition until the task ends.
    pub(super) async fn run_with<T>(&self, partition: u32, task: impl Future<Output = T>) -> T {
        tokio::select! {
            biased;
            ended = task => ended,
            never = self.watch(partition) => match never {},
        }
    }

    async fn watch(&self, partition: u32) -> std::convert::Infallible {
        let labels = [
            ("topic", self.topic_name.to_owned()),
            ("partition", partition.to_string()),
        ];
        let watched = WatchedPartition {
            partition,
            seconds: gauge!(STANDSTILL_METRIC, &labels),
            report: &self.report,
        };
        let mut standstill = UnreadOffsetTimer::default();
        loop {
            SystemClock.sleep(LOOK_INTERVAL).await;
            let unread = self.topic.log().unread_range(partition);
            let stood = standstill.measure(unread, SystemClock.monotonic_ns());
            watched.seconds.set(stood.as_secs_f64());
            let unread = unread.filter(|_| stood >= STANDSTILL_AFTER);
            let reason =
                unread.map(|unread| explain_standstill(self.topic_name, partition, &unread));
            self.report.set_reason(partition, reason);
        }
    }
}

/// How long a partition has been at the same unread record.
#[derive(Debug, Default)]
struct UnreadOffsetTimer {
    /// The first unread offset, and since when it has been that, on the monotonic clock.
    unread_since: Option<(u64, u64)>,
}

impl UnreadOffsetTimer {
    /// Returns how long the first unread record has been the same: zero if there is none.
    fn measure(&mut self, unread: Option<UnreadRange>, now_ns: u64) -> Duration {
        self.unread_since = unread.map(|unread| match self.unread_since {
            Some((first, since_ns)) if first == unread.first => (first, since_ns),
            _ => (unread.first, now_ns),
        });
        let since_ns = self.unread_since.map_or(now_ns, |(_, since_ns)| since_ns);
        Duration::from_nanos(now_ns.saturating_sub(since_ns))
    }
}

/// Returns why a partition stands still. The text stays the same as long as the cause does.
fn explain_standstill(topic: &str, partition: u32, unread: &UnreadRange) -> String {
    let cause = match unread.is_behind_open_transaction {
        true => {
            "a producer has an open transaction, and the brokers keep it and what follows from \
             readers until it ends; docs/operations.md says how to find and end it"
        }
        false => "the brokers do not deliver its next record, or this process does not take it",
    };
    let first = unread.first;
    format!("partition {partition} of {topic} stands still before offset {first}: {cause}")
}

/// Why each partition that stands still does so, and the component that reports it.
#[derive(Clone)]
struct StandstillReport {
    component: HealthComponent,
    reasons: Arc<Mutex<BTreeMap<u32, String>>>,
}

impl StandstillReport {
    /// Sets or removes the reason of a partition, and reports those of all.
    fn set_reason(&self, partition: u32, reason: Option<String>) {
        let mut reasons = self.lock_reasons();
        match reason {
            Some(reason) => reasons.insert(partition, reason),
            None => reasons.remove(&partition),
        };
        let texts: Vec<_> = reasons.values().map(String::as_str).collect();
        match texts.is_empty() {
            true => self.component.ready(),
            false => self.component.not_ready(texts.join("; ")),
        }
    }

    fn lock_reasons(&self) -> MutexGuard<'_, BTreeMap<u32, String>> {
        self.reasons.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A partition while it is watched. It counts as moving once the process no longer works on it.
struct WatchedPartition<'a> {
    partition: u32,
    seconds: Gauge,
    report: &'a StandstillReport,
}

impl Drop for WatchedPartition<'_> {
    fn drop(&mut self) {
        self.seconds.set(0.0);
        self.report.set_reason(self.partition, None);
    }
}

#[cfg(test)]
mod tests {
    use host::Health;

    use super::*;

    const SECOND_NS: u64 = 1_000_000_000;

    fn unread(first: u64, end: u64) -> Option<UnreadRange> {
        Some(UnreadRange {
            first,
            end,
            is_behind_open_transaction: false,
        })
    }

    #[test]
    fn a_partition_stands_still_as_long_as_its_first_unread_record_is_the_same() {
        let mut standstill = UnreadOffsetTimer::default();
        let mut measure =
            |unread, seconds| standstill.measure(unread, seconds * SECOND_NS).as_secs();
        assert_eq!(measure(None, 1), 0);
        assert_eq!(measure(unread(5, 6), 2), 0);
        // The end may move meanwhile.
        assert_eq!(measure(unread(5, 9), 7), 5);
        assert_eq!(measure(unread(6, 9), 8), 0, "a record was fetched");
        assert_eq!(measure(unread(6, 9), 10), 2);
        assert_eq!(measure(None, 11), 0, "all were fetched");
        assert_eq!(measure(unread(6, 9), 12), 0, "it counts from now");
    }

    #[test]
    fn every_partition_that_stands_still_is_named_until_it_moves() {
        let health = Health::default();
        let report = StandstillReport {
            component: health.register("reading"),
            reasons: Arc::default(),
        };
        let reason = || health.readiness().components[0].reason.clone();
        for partition in [3, 1] {
            let text = explain_standstill("trades", partition, &unread(7, 9).unwrap());
            report.set_reason(partition, Some(text));
        }
        let text = reason().unwrap();
        for part in [
            "partition 1 of trades",
            "partition 3 of trades",
            "before offset 7",
        ] {
            assert!(text.contains(part), "{text}");
        }
        report.set_reason(1, None);
        assert!(!reason().unwrap().contains("partition 1"));
        let watched = WatchedPartition {
            partition: 3,
            seconds: gauge!(STANDSTILL_METRIC),
            report: &report,
        };
        drop(watched);
        assert_eq!(reason(), None);
    }
}
