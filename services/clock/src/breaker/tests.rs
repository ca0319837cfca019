use std::num::NonZeroU32;

use proptest::prelude::*;

use super::*;
use crate::manual::ManualClock;
use crate::time::SystemClock;

fn policy(failures: u32, open_for: Duration, successes: u32) -> BreakerPolicy {
    BreakerPolicy {
        failures: NonZeroU32::new(failures).unwrap(),
        open_for,
        successes: NonZeroU32::new(successes).unwrap(),
    }
}

/// The reason that `on_change` was last called with.
#[derive(Clone, Default)]
struct ReportedOutage(Arc<Mutex<Option<String>>>);

impl ReportedOutage {
    fn reason(&self) -> Option<String> {
        self.0.lock().unwrap().clone()
    }
}

fn create_breaker<C: Clock>(
    policy: BreakerPolicy,
    clock: C,
) -> (CircuitBreaker<C>, ReportedOutage) {
    let outage = ReportedOutage::default();
    *outage.0.lock().unwrap() = Some("not reported yet".to_owned());
    let reported = outage.clone();
    let on_change = move |reason: Option<&str>| {
        *reported.0.lock().unwrap() = reason.map(str::to_owned);
    };
    (
        CircuitBreaker::new("store", policy, clock, on_change),
        outage,
    )
}

#[tokio::test(start_paused = true)]
async fn it_opens_after_failures_in_a_row_and_closes_after_successes_in_a_row() {
    let (breaker, outage) = create_breaker(BreakerPolicy::default(), SystemClock);
    assert_eq!(outage.reason(), None);
    for _ in 0..4 {
        breaker.admit().unwrap().record_failure(&"no route");
    }
    breaker.admit().unwrap().record_success();
    for _ in 0..4 {
        breaker.admit().unwrap().record_failure(&"no route");
    }
    assert_eq!(breaker.state(), BreakerState::Closed);
    breaker.admit().unwrap().record_failure(&"timed out");
    assert_eq!(breaker.state(), BreakerState::Open);
    let reason = outage.reason().unwrap();
    assert_eq!(
        reason,
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
    first.record_success();
    assert!(outage.reason().is_some(), "one success is not enough");
    breaker.admit().unwrap().record_success();
    assert_eq!(breaker.state(), BreakerState::Closed);
    assert_eq!(outage.reason(), None);
}

#[tokio::test(start_paused = true)]
async fn a_failure_while_half_open_opens_it_again_for_the_whole_time() {
    let open_for = Duration::from_secs(10);
    let (breaker, _) = create_breaker(policy(1, open_for, 2), SystemClock);
    breaker.admit().unwrap().record_failure(&"first");
    SystemClock.sleep(open_for).await;
    breaker.admit().unwrap().record_success();
    breaker.admit().unwrap().record_failure(&"second");
    let refused = breaker.admit().err().unwrap();
    let expected = BreakerOpenError {
        retry_in: open_for,
        failures: 2,
        last_error: "second".to_owned(),
    };
    assert_eq!(refused, expected);
}

#[test]
fn an_abandoned_call_has_no_outcome_and_another_is_admitted() {
    let clock = ManualClock::default();
    let (breaker, _) = create_breaker(policy(1, Duration::from_nanos(5), 1), clock.clone());
    drop(breaker.admit());
    assert_eq!(breaker.state(), BreakerState::Closed);
    breaker.admit().unwrap().record_failure(&"gone");
    clock.advance_ns(5);
    let probe = breaker.admit().unwrap();
    assert!(breaker.admit().is_err());
    drop(probe);
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    breaker.admit().unwrap().record_success();
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[test]
fn calls_from_before_a_change_of_state_do_not_count_after_it() {
    let clock = ManualClock::default();
    let (breaker, _) = create_breaker(policy(1, Duration::from_nanos(5), 1), clock.clone());
    let [slow, slower] = [(); 2].map(|()| breaker.admit().unwrap());
    breaker.admit().unwrap().record_failure(&"gone");
    slow.record_success();
    assert_eq!(breaker.state(), BreakerState::Open);
    clock.advance_ns(5);
    breaker.admit().unwrap().record_success();
    slower.record_failure(&"an old failure");
    assert_eq!(breaker.state(), BreakerState::Closed);
}

/// A step of a random history of a breaker.
#[derive(Clone, Debug)]
enum Step {
    Admit,
    Succeed(usize),
    Fail(usize),
    Abandon(usize),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Admit),
        2 => (0_usize..4).prop_map(Step::Succeed),
        3 => (0_usize..4).prop_map(Step::Fail),
        1 => (0_usize..4).prop_map(Step::Abandon),
        1 => (0_u64..15).prop_map(Step::Wait),
    ]
}

const OPEN_FOR_NS: u64 = 10;

proptest! {
    /// However calls overlap, an open breaker admits no call before its time, a half-open one
    /// admits one call at a time, and it can always close again.
    #[test]
    fn any_history_keeps_the_rules(
        failures in 1_u32..4,
        successes in 1_u32..4,
        steps in prop::collection::vec(step(), 0..200),
    ) {
        let clock = ManualClock::default();
        let policy = policy(failures, Duration::from_nanos(OPEN_FOR_NS), successes);
        let (breaker, outage) = create_breaker(policy, clock.clone());
        let mut calls: Vec<(CallPermit<ManualClock>, u64)> = Vec::new();
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
                Step::Succeed(which) if which < calls.len() => calls.remove(which).0.record_success(),
                Step::Fail(which) if which < calls.len() => calls.remove(which).0.record_failure(&"no"),
                Step::Abandon(which) if which < calls.len() => drop(calls.remove(which)),
                Step::Wait(wait_ns) => clock.advance_ns(wait_ns.cast_signed()),
                Step::Succeed(_) | Step::Fail(_) | Step::Abandon(_) => {}
            }
            let after = breaker.state();
            if after == BreakerState::Open && before != BreakerState::Open {
                opened_ns = now_ns;
            }
            prop_assert_eq!(outage.reason().is_none(), after == BreakerState::Closed);
        }
        // In any state, once all calls are over, the number of successes closes it.
        calls.clear();
        clock.advance_ns(OPEN_FOR_NS.cast_signed());
        for _ in 0..successes {
            breaker.admit().unwrap().record_success();
        }
        prop_assert_eq!(breaker.state(), BreakerState::Closed);
    }
}

#[tokio::test(start_paused = true)]
async fn one_failure_is_named_in_the_singular() {
    let policy = policy(1, Duration::from_secs(60), 1);
    let (breaker, outage) = create_breaker(policy, SystemClock);
    breaker.admit().unwrap().record_failure(&"refused");
    assert_eq!(
        outage.reason().as_deref(),
        Some("the circuit breaker is open after 1 failure: refused")
    );
}
