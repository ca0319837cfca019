use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use clock::{BreakerPolicy, SystemClock};
use eventlog::{Log, LogError, MemoryLog, NewRecord};
use host::{DependencyHealth, Health};
use market::Instrument;
use store::{ArchiveProgress, Tick, TickBlock, TickStore};

use super::*;

/// A store of ticks in a mood.
#[derive(Clone, Default)]
struct Moody {
    mood: Arc<AtomicU8>,
    calls: Arc<AtomicUsize>,
}

const WELL: u8 = 0;
const REFUSING: u8 = 1;
const HANGING: u8 = 2;
const DAMAGED: u8 = 3;

impl Moody {
    fn turn(&self, mood: u8) {
        self.mood.store(mood, Ordering::Relaxed);
    }

    async fn answer<T>(&self, value: T) -> Result<T, StoreError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let (store, reason) = ("moody".to_owned(), "no route".to_owned());
        match self.mood.load(Ordering::Relaxed) {
            WELL => Ok(value),
            REFUSING => Err(StoreError::Unavailable { store, reason }),
            DAMAGED => Err(StoreError::Corrupt { store, reason }),
            _ => std::future::pending().await,
        }
    }
}

impl TickStore for Moody {
    async fn archive_progress(&self, _: u32) -> Result<Option<ArchiveProgress>, StoreError> {
        self.answer(None).await
    }

    async fn insert(&self, _: &[TickBlock]) -> Result<(), StoreError> {
        self.answer(()).await
    }

    async fn set_archive_progress(&self, _: u32, _: ArchiveProgress) -> Result<(), StoreError> {
        self.answer(()).await
    }

    async fn read(&self, _: &Instrument, _: i64, _: i64) -> Result<Vec<Tick>, StoreError> {
        self.answer(Vec::new()).await
    }

    async fn hours_with_ticks(
        &self,
        _: &Instrument,
        _: i64,
        _: i64,
    ) -> Result<Vec<(i64, u64)>, StoreError> {
        self.answer(Vec::new()).await
    }

    async fn sync(&self) -> Result<(), StoreError> {
        self.answer(()).await
    }

    async fn delete_expired(&self, _: i64) -> Result<u64, StoreError> {
        self.answer(0).await
    }
}

const TIMEOUT: Duration = Duration::from_secs(8);

fn guard(health: &Health) -> Guard<SystemClock> {
    let policy = BreakerPolicy {
        failures: NonZeroU32::new(2).unwrap(),
        open_for: Duration::from_secs(60),
        successes: NonZeroU32::new(2).unwrap(),
    };
    let component = DependencyHealth::Required(health.register("clickhouse"));
    let breaker = Breaker::new("clickhouse", policy, SystemClock, move |outage| {
        component.report(outage)
    });
    Guard::new("clickhouse", SystemClock, TIMEOUT, breaker)
}

fn guarded() -> (Moody, Guarded<Moody, SystemClock>, Health) {
    let (moody, health) = (Moody::default(), Health::default());
    let guarded = Guarded::new(moody.clone(), guard(&health));
    (moody, guarded, health)
}

#[tokio::test(start_paused = true)]
async fn after_failures_in_a_row_calls_fail_at_once_and_say_why() {
    let (moody, guarded, health) = guarded();
    moody.turn(REFUSING);
    let error = guarded.archive_position(0).await.unwrap_err();
    assert_eq!(error.to_string(), "moody: no route");
    moody.turn(HANGING);
    let begin_ns = SystemClock.monotonic_ns();
    let error = guarded.archive_position(0).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert_eq!(error.to_string(), "clickhouse: not done within 8s");
    let waited = Duration::from_nanos(SystemClock.monotonic_ns() - begin_ns);
    assert_eq!(waited, TIMEOUT);

    SystemClock.sleep(Duration::from_secs(18)).await;
    let calls = moody.calls.load(Ordering::Relaxed);
    let error = guarded.sync().await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert_eq!(
        error.to_string(),
        "clickhouse: the circuit breaker is open for another 42 s after 2 failures: \
         not done within 8s"
    );
    assert_eq!(moody.calls.load(Ordering::Relaxed), calls, "it was called");
    assert!(!health.readiness().is_ready());

    moody.turn(WELL);
    guarded.probe_ticks().await;
    assert!(!health.readiness().is_ready(), "it asked too early");
    SystemClock.sleep(Duration::from_secs(42)).await;
    guarded.probe_ticks().await;
    guarded.probe_ticks().await;
    assert!(health.readiness().is_ready(), "the probes close it alone");
    let calls = moody.calls.load(Ordering::Relaxed);
    guarded.probe_ticks().await;
    assert_eq!(moody.calls.load(Ordering::Relaxed), calls, "no need to ask");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_no_retry_can_mend_is_an_answer() {
    let (moody, guarded, health) = guarded();
    moody.turn(DAMAGED);
    for _ in 0..10 {
        let error = guarded.insert(&[]).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    }
    assert!(health.readiness().is_ready());
}

#[tokio::test(start_paused = true)]
async fn calls_that_their_callers_gave_up_say_nothing() {
    let (moody, guarded, health) = guarded();
    moody.turn(HANGING);
    for _ in 0..10 {
        let given_up = clock::timeout(&SystemClock, TIMEOUT / 2, guarded.archive_position(0)).await;
        assert!(given_up.is_err());
    }
    assert!(health.readiness().is_ready());
}

/// A log whose appends hang, or are busy.
#[derive(Clone)]
struct Stuck(MemoryLog, bool);

impl Log for Stuck {
    fn partitions(&self) -> u32 {
        self.0.partitions()
    }

    fn epoch(&self) -> u64 {
        self.0.epoch()
    }

    async fn append(&self, _: u32, _: Vec<NewRecord>) -> Result<std::ops::Range<u64>, LogError> {
        match self.1 {
            true => Err(LogError::Busy { pending_bytes: 7 }),
            false => std::future::pending().await,
        }
    }

    async fn fetch(&self, _: u32, _: u64, _: usize) -> Result<eventlog::Batch, LogError> {
        Err(LogError::Closed)
    }

    async fn wait(&self, _: u32, _: u64) -> Result<(), LogError> {
        Err(LogError::Closed)
    }

    async fn bounds(&self, _: u32) -> Result<eventlog::Bounds, LogError> {
        Err(LogError::Closed)
    }
}

#[tokio::test(start_paused = true)]
async fn appends_that_hang_open_the_breaker_and_a_busy_log_does_not() {
    let health = Health::default();
    let memory = MemoryLog::new(1, 1, 1 << 10, Arc::new(|| 0));
    let busy = GuardedLog::new(Stuck(memory.clone(), true), "trades", guard(&health));
    for _ in 0..10 {
        let error = busy.append(0, Vec::new()).await.unwrap_err();
        assert_eq!(error, LogError::Busy { pending_bytes: 7 });
    }
    assert!(health.readiness().is_ready());

    let stuck = GuardedLog::new(Stuck(memory, false), "trades", guard(&health));
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
    assert!(!health.readiness().is_ready());
    stuck.probe_log().await;
    assert!(!health.readiness().is_ready(), "it asked too early");
    SystemClock.sleep(Duration::from_secs(60)).await;
    stuck.probe_log().await;
    stuck.probe_log().await;
    assert!(health.readiness().is_ready(), "the probes close it alone");
}
