use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clock::{BreakerPolicy, CircuitBreaker, ManualClock, SystemClock};

use super::*;
use crate::memory::MemoryLog;

const TIMEOUT: Duration = Duration::from_secs(8);

/// The outage that the breaker last reported.
#[derive(Clone, Default)]
struct Outage(Arc<Mutex<Option<String>>>);

impl Outage {
    fn is_reported(&self) -> bool {
        self.0.lock().unwrap().is_some()
    }
}

/// What every append to a [`BadLog`] does.
#[derive(Clone, Copy)]
enum AppendFault {
    Busy,
    Denied,
    Hangs,
}

/// A log that accepts no records.
#[derive(Clone)]
struct BadLog(MemoryLog, AppendFault);

impl Log for BadLog {
    fn partition_count(&self) -> u32 {
        self.0.partition_count()
    }

    fn epoch(&self) -> u64 {
        self.0.epoch()
    }

    async fn append(&self, _: u32, _: Vec<NewRecord>) -> Result<Range<u64>, LogError> {
        match self.1 {
            AppendFault::Busy => Err(LogError::Busy { pending_bytes: 7 }),
            AppendFault::Denied => Err(LogError::Denied {
                topic: "trades".to_owned(),
                reason: "no Write".to_owned(),
            }),
            AppendFault::Hangs => std::future::pending().await,
        }
    }

    async fn fetch(&self, _: u32, _: u64, _: usize) -> Result<RecordBatch, LogError> {
        Err(LogError::Closed)
    }

    async fn wait_for_record(&self, _: u32, _: u64) -> Result<(), LogError> {
        Err(LogError::Closed)
    }

    async fn bounds(&self, _: u32) -> Result<OffsetBounds, LogError> {
        Err(LogError::Closed)
    }
}

fn guarded_log(fault: AppendFault) -> (AppendGuardedLog<BadLog, SystemClock>, Outage) {
    let policy = BreakerPolicy {
        failures: NonZeroU32::new(2).unwrap(),
        open_for: Duration::from_secs(60),
        successes: NonZeroU32::new(2).unwrap(),
    };
    let outage = Outage::default();
    let reported = outage.clone();
    let breaker = CircuitBreaker::new("kafka", policy, SystemClock, move |reason| {
        *reported.0.lock().unwrap() = reason.map(str::to_owned);
    });
    let guard = ServerGuard::new("kafka", SystemClock, TIMEOUT, breaker);
    let memory = MemoryLog::new(1, 1, 1 << 10, ManualClock::new(0));
    (
        AppendGuardedLog::new(BadLog(memory, fault), "trades", guard),
        outage,
    )
}

#[tokio::test(start_paused = true)]
async fn appends_that_hang_open_the_breaker_and_a_busy_log_or_a_missing_right_does_not() {
    let busy = LogError::Busy { pending_bytes: 7 };
    let denied = LogError::Denied {
        topic: "trades".to_owned(),
        reason: "no Write".to_owned(),
    };
    for (fault, expected) in [(AppendFault::Busy, busy), (AppendFault::Denied, denied)] {
        let (log, outage) = guarded_log(fault);
        for _ in 0..10 {
            let error = log.append(0, Vec::new()).await.unwrap_err();
            assert_eq!(error, expected);
        }
        assert!(!outage.is_reported());
    }

    let (stuck, outage) = guarded_log(AppendFault::Hangs);
    for _ in 0..2 {
        let error = stuck.append(0, Vec::new()).await.unwrap_err();
        assert_eq!(error.to_string(), "trades: not done within 8s");
    }
    let error = stuck.append(0, Vec::new()).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert!(
        error.to_string().contains("is open for another 60 s"),
        "{error}"
    );
    assert!(outage.is_reported());
    stuck.probe_log_unless_breaker_closed().await;
    assert!(outage.is_reported(), "the probe was made too early");
    SystemClock.sleep(Duration::from_secs(60)).await;
    stuck.probe_log_unless_breaker_closed().await;
    stuck.probe_log_unless_breaker_closed().await;
    assert!(!outage.is_reported(), "the probes alone close it");
}
