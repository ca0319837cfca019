use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;

use super::*;
use crate::time::SystemClock;

/// A clock that moves when the test says so.
#[derive(Clone, Default)]
struct Hand(Arc<AtomicU64>);

impl Clock for Hand {
    fn now_ns(&self) -> i64 {
        0
    }

    fn monotonic_ns(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn sleep(&self, _: Duration) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }
}

fn policy(failures: u32, open_for: Duration, successes: u32) -> BreakerPolicy {
    BreakerPolicy {
        failures: NonZeroU32::new(failures).unwrap(),
        open_for,
        successes: NonZeroU32::new(successes).unwrap(),
    }
}

/// What `on_change` was last called with.
#[derive(Clone, Default)]
struct Outage(Arc<Mutex<Option<String>>>);

impl Outage {
    fn reason(&self) -> Option<String> {
        self.0.lock().unwrap().clone()
    }
}

fn breaker<C: Clock>(policy: BreakerPolicy, clock: C) -> (Breaker<C>, Outage) {
    let outage = Outage::default();
    *outage.0.lock().unwrap() = Some("not reported yet".to_owned());
    let reported = outage.clone();
    let on_change = move |reason: Option<&str>| {
        *reported.0.lock().unwrap() = reason.map(str::to_owned);
    };
    (Breaker::new("store", policy, clock, on_change), outage)
}

#[tokio::test(start_paused = true)]
async fn it_opens_after_failures_in_a_row_and_closes_after_successes_in_a_row() {
    let (breaker, outage) = breaker(BreakerPolicy::default(), SystemClock);
    assert_eq!(outage.reason(), None);
    for _ in 0..4 {
        breaker.admit().unwrap().failed(&"no route");
    }
    breaker.admit().unwrap().succeeded();
    for _ in 0..4 {
        breaker.admit().unwrap().failed(&"no route");
    }
    assert_eq!(breaker.state(), BreakerState::Closed);
    breaker.admit().unwrap().failed(&"timed out");
    assert_eq!(breaker.state(), BreakerState::Open);
    let told = outage.reason().unwrap();
    assert_eq!(
        told,
        "the circuit breaker is open after 5 failures: timed out"
    );

    SystemClock.sleep(Duration::from_millis(17_500)).await;
    let refused = breaker.admit().err().unwrap();
    assert_eq!(
        refused.to_string(),
        "the circuit breaker is open for another 43 s after 5 failures: timed out"
    );
    SystemClock.sleep(refused.retry_in).await;
    let first = breaker.admit().unwrap();
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    let second = breaker.admit().err().unwrap();
    assert_eq!(second.retry_in, Duration::ZERO);
    assert_eq!(
        second.to_string(),
        "the circuit breaker lets one call at a time through after 5 failures: timed out"
    );
    first.succeeded();
    assert!(outage.reason().is_some(), "one success is not enough");
    breaker.admit().unwrap().succeeded();
    assert_eq!(breaker.state(), BreakerState::Closed);
    assert_eq!(outage.reason(), None);
}

#[tokio::test(start_paused = true)]
async fn a_failure_while_half_open_opens_it_anew_for_the_whole_time() {
    let open_for = Duration::from_secs(10);
    let (breaker, _) = breaker(policy(1, open_for, 2), SystemClock);
    breaker.admit().unwrap().failed(&"first");
    SystemClock.sleep(open_for).await;
    breaker.admit().unwrap().succeeded();
    breaker.admit().unwrap().failed(&"second");
    let refused = breaker.admit().err().unwrap();
    let expected = BreakerOpen {
        retry_in: open_for,
        failures: 2,
        last_error: "second".to_owned(),
    };
    assert_eq!(refused, expected);
}

#[test]
fn a_call_that_was_given_up_counts_as_neither_and_makes_room() {
    let clock = Hand::default();
    let (breaker, _) = breaker(policy(1, Duration::from_nanos(5), 1), clock.clone());
    drop(breaker.admit());
    assert_eq!(breaker.state(), BreakerState::Closed);
    breaker.admit().unwrap().failed(&"gone");
    clock.0.store(5, Ordering::Relaxed);
    let probe = breaker.admit().unwrap();
    assert!(breaker.admit().is_err());
    drop(probe);
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    breaker.admit().unwrap().succeeded();
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[test]
fn calls_from_before_a_change_say_nothing_of_what_came_after() {
    let clock = Hand::default();
    let (breaker, _) = breaker(policy(1, Duration::from_nanos(5), 1), clock.clone());
    let [slow, slower] = [(); 2].map(|()| breaker.admit().unwrap());
    breaker.admit().unwrap().failed(&"gone");
    slow.succeeded();
    assert_eq!(breaker.state(), BreakerState::Open);
    clock.0.store(5, Ordering::Relaxed);
    breaker.admit().unwrap().succeeded();
    slower.failed(&"an old failure");
    assert_eq!(breaker.state(), BreakerState::Closed);
}

/// What can be done to a breaker.
#[derive(Clone, Debug)]
enum Step {
    Admit,
    Succeed(usize),
    Fail(usize),
    GiveUp(usize),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Admit),
        2 => (0_usize..4).prop_map(Step::Succeed),
        3 => (0_usize..4).prop_map(Step::Fail),
        1 => (0_usize..4).prop_map(Step::GiveUp),
        1 => (0_u64..15).prop_map(Step::Wait),
    ]
}

const OPEN_FOR_NS: u64 = 10;

proptest! {
    /// However calls overlap: an open breaker lets nothing through before its time, a half-open
    /// one at most one call at a time, and it never gets stuck.
    #[test]
    fn whatever_happens_it_keeps_its_promises(
        failures in 1_u32..4,
        successes in 1_u32..4,
        steps in prop::collection::vec(step(), 0..200),
    ) {
        let clock = Hand::default();
        let policy = policy(failures, Duration::from_nanos(OPEN_FOR_NS), successes);
        let (breaker, outage) = breaker(policy, clock.clone());
        let mut calls: Vec<(Permit<Hand>, u64)> = Vec::new();
        let mut opened_ns = 0;
        for step in steps {
            let now_ns = clock.monotonic_ns();
            let before = breaker.state();
            match step {
                Step::Admit => match breaker.admit() {
                    Ok(permit) => {
                        let generation = permit.generation;
                        if breaker.state() == BreakerState::HalfOpen {
                            prop_assert!(now_ns >= opened_ns + OPEN_FOR_NS);
                            prop_assert!(calls.iter().all(|(_, other)| *other != generation));
                        }
                        calls.push((permit, generation));
                    }
                    Err(refused) => {
                        prop_assert_ne!(before, BreakerState::Closed);
                        let left_ns = (opened_ns + OPEN_FOR_NS).saturating_sub(now_ns);
                        prop_assert_eq!(refused.retry_in, Duration::from_nanos(left_ns));
                        prop_assert!(refused.failures >= failures);
                    }
                },
                Step::Succeed(which) if which < calls.len() => calls.remove(which).0.succeeded(),
                Step::Fail(which) if which < calls.len() => calls.remove(which).0.failed(&"no"),
                Step::GiveUp(which) if which < calls.len() => drop(calls.remove(which)),
                Step::Wait(wait_ns) => _ = clock.0.fetch_add(wait_ns, Ordering::Relaxed),
                Step::Succeed(_) | Step::Fail(_) | Step::GiveUp(_) => {}
            }
            let after = breaker.state();
            if after == BreakerState::Open && before != BreakerState::Open {
                opened_ns = now_ns;
            }
            prop_assert_eq!(outage.reason().is_none(), after == BreakerState::Closed);
        }
        // Whatever state it is in: once all calls are over, so many successes close it.
        calls.clear();
        clock.0.fetch_add(OPEN_FOR_NS, Ordering::Relaxed);
        for _ in 0..successes {
            breaker.admit().unwrap().succeeded();
        }
        prop_assert_eq!(breaker.state(), BreakerState::Closed);
    }
}
