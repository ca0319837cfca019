use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clock::{BreakerPolicy, CircuitBreaker, Clock, ServerGuard, SystemClock};
use market::Instrument;

use super::GuardedStore;
use crate::error::StoreError;
use crate::tick_store::{ArchiveProgress, Tick, TickBlock, TickStore};

/// The outage that the breaker last reported.
#[derive(Clone, Default)]
struct Outage(Arc<Mutex<Option<String>>>);

impl Outage {
    fn is_reported(&self) -> bool {
        self.0.lock().unwrap().is_some()
    }
}

/// A store of ticks whose calls behave as the test sets.
#[derive(Clone, Default)]
struct FakeTickStore {
    behaviour: Arc<AtomicU8>,
    calls: Arc<AtomicUsize>,
}

const SUCCEED: u8 = 0;
const FAIL: u8 = 1;
const HANG: u8 = 2;
const RETURN_CORRUPT: u8 = 3;

impl FakeTickStore {
    fn set_behaviour(&self, behaviour: u8) {
        self.behaviour.store(behaviour, Ordering::Relaxed);
    }

    async fn respond<T>(&self, value: T) -> Result<T, StoreError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let (store, reason) = ("fake".to_owned(), "no route".to_owned());
        match self.behaviour.load(Ordering::Relaxed) {
            SUCCEED => Ok(value),
            FAIL => Err(StoreError::Unavailable { store, reason }),
            RETURN_CORRUPT => Err(StoreError::Corrupt { store, reason }),
            _ => std::future::pending().await,
        }
    }
}

impl TickStore for FakeTickStore {
    async fn archive_progress(&self, _: u32) -> Result<Option<ArchiveProgress>, StoreError> {
        self.respond(None).await
    }

    async fn insert(&self, _: &[TickBlock]) -> Result<(), StoreError> {
        self.respond(()).await
    }

    async fn advance_archive_progress(&self, _: u32, _: ArchiveProgress) -> Result<(), StoreError> {
        self.respond(()).await
    }

    async fn read(&self, _: &Instrument, _: i64, _: i64) -> Result<Vec<Tick>, StoreError> {
        self.respond(Vec::new()).await
    }

    async fn hours_with_tick_count_upper_bounds(
        &self,
        _: &Instrument,
        _: i64,
        _: i64,
    ) -> Result<Vec<(i64, u64)>, StoreError> {
        self.respond(Vec::new()).await
    }

    async fn sync(&self) -> Result<(), StoreError> {
        self.respond(()).await
    }

    async fn delete_expired_block_batch(&self, _: i64, _: i64) -> Result<u64, StoreError> {
        self.respond(0).await
    }
}

const TIMEOUT: Duration = Duration::from_secs(8);

fn guarded_store() -> (
    FakeTickStore,
    GuardedStore<FakeTickStore, SystemClock>,
    Outage,
) {
    let policy = BreakerPolicy {
        failures: NonZeroU32::new(2).unwrap(),
        open_for: Duration::from_secs(60),
        successes: NonZeroU32::new(2).unwrap(),
    };
    let (fake, outage) = (FakeTickStore::default(), Outage::default());
    let reported = outage.clone();
    let breaker = CircuitBreaker::new("clickhouse", policy, SystemClock, move |reason| {
        *reported.0.lock().unwrap() = reason.map(str::to_owned);
    });
    let guard = ServerGuard::new("clickhouse", SystemClock, TIMEOUT, breaker);
    (fake.clone(), GuardedStore::new(fake, guard), outage)
}

#[tokio::test(start_paused = true)]
async fn after_failures_in_a_row_calls_fail_at_once_with_the_reason() {
    let (fake, guarded, outage) = guarded_store();
    fake.set_behaviour(FAIL);
    let error = guarded.next_archive_position(0).await.unwrap_err();
    assert_eq!(error.to_string(), "fake: no route");
    fake.set_behaviour(HANG);
    let begin_ns = SystemClock.monotonic_ns();
    let error = guarded.next_archive_position(0).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert_eq!(error.to_string(), "clickhouse: not done within 8s");
    let waited = Duration::from_nanos(SystemClock.monotonic_ns() - begin_ns);
    assert_eq!(waited, TIMEOUT);

    SystemClock.sleep(Duration::from_secs(18)).await;
    let calls = fake.calls.load(Ordering::Relaxed);
    let error = guarded.sync().await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert_eq!(
        error.to_string(),
        "clickhouse: the circuit breaker is open for another 42 s after 2 failures: \
         not done within 8s"
    );
    assert_eq!(
        fake.calls.load(Ordering::Relaxed),
        calls,
        "the store was called"
    );
    assert!(outage.is_reported());

    fake.set_behaviour(SUCCEED);
    guarded.probe_ticks_unless_breaker_closed().await;
    assert!(outage.is_reported(), "it probed too early");
    SystemClock.sleep(Duration::from_secs(42)).await;
    guarded.probe_ticks_unless_breaker_closed().await;
    guarded.probe_ticks_unless_breaker_closed().await;
    assert!(!outage.is_reported(), "the probes alone close it");
    let calls = fake.calls.load(Ordering::Relaxed);
    guarded.probe_ticks_unless_breaker_closed().await;
    assert_eq!(
        fake.calls.load(Ordering::Relaxed),
        calls,
        "a closed breaker needs no probe"
    );
}

#[tokio::test(start_paused = true)]
async fn an_error_that_is_not_transient_counts_as_a_success() {
    let (fake, guarded, outage) = guarded_store();
    fake.set_behaviour(RETURN_CORRUPT);
    for _ in 0..10 {
        let error = guarded.insert(&[]).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    }
    assert!(!outage.is_reported());
}

#[tokio::test(start_paused = true)]
async fn calls_that_were_dropped_do_not_count() {
    let (fake, guarded, outage) = guarded_store();
    fake.set_behaviour(HANG);
    for _ in 0..10 {
        let timed_out =
            clock::timeout(&SystemClock, TIMEOUT / 2, guarded.next_archive_position(0)).await;
        assert!(timed_out.is_err());
    }
    assert!(!outage.is_reported());
}
