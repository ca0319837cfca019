use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use clock::{Breaker, BreakerPolicy, SystemClock};
use market::Instrument;

use super::*;
use crate::tick_store::{ArchiveProgress, Tick, TickBlock, TickStore};

/// The outage that the breaker last reported.
#[derive(Clone, Default)]
struct Outage(Arc<Mutex<Option<String>>>);

impl Outage {
    fn is_reported(&self) -> bool {
        self.0.lock().unwrap().is_some()
    }
}

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

fn guarded() -> (Moody, Guarded<Moody, SystemClock>, Outage) {
    let policy = BreakerPolicy {
        failures: NonZeroU32::new(2).unwrap(),
        open_for: Duration::from_secs(60),
        successes: NonZeroU32::new(2).unwrap(),
    };
    let (moody, outage) = (Moody::default(), Outage::default());
    let reported = outage.clone();
    let breaker = Breaker::new("clickhouse", policy, SystemClock, move |reason| {
        *reported.0.lock().unwrap() = reason.map(str::to_owned);
    });
    let guard = Guard::new("clickhouse", SystemClock, TIMEOUT, breaker);
    (moody.clone(), Guarded::new(moody, guard), outage)
}

#[tokio::test(start_paused = true)]
async fn after_failures_in_a_row_calls_fail_at_once_and_say_why() {
    let (moody, guarded, outage) = guarded();
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
    assert!(outage.is_reported());

    moody.turn(WELL);
    guarded.probe_ticks().await;
    assert!(outage.is_reported(), "it asked too early");
    SystemClock.sleep(Duration::from_secs(42)).await;
    guarded.probe_ticks().await;
    guarded.probe_ticks().await;
    assert!(!outage.is_reported(), "the probes close it alone");
    let calls = moody.calls.load(Ordering::Relaxed);
    guarded.probe_ticks().await;
    assert_eq!(moody.calls.load(Ordering::Relaxed), calls, "no need to ask");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_no_retry_can_mend_is_an_answer() {
    let (moody, guarded, outage) = guarded();
    moody.turn(DAMAGED);
    for _ in 0..10 {
        let error = guarded.insert(&[]).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    }
    assert!(!outage.is_reported());
}

#[tokio::test(start_paused = true)]
async fn calls_that_their_callers_gave_up_say_nothing() {
    let (moody, guarded, outage) = guarded();
    moody.turn(HANGING);
    for _ in 0..10 {
        let given_up = clock::timeout(&SystemClock, TIMEOUT / 2, guarded.archive_position(0)).await;
        assert!(given_up.is_err());
    }
    assert!(!outage.is_reported());
}
