//! What a process checks periodically about its topics.

use std::future::Future;
use std::time::Duration;

use clock::{Clock, SystemClock};
use eventlog::LogError;
use host::HealthComponent;

use super::servers::GuardedTopic;
use super::topics::OpenTopic;

/// The time between two checks.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);
/// After this time without an answer the brokers count as unavailable. It is longer than the time
/// limit of one request, so that a single lost request changes nothing.
const UNAVAILABLE_AFTER: Duration = Duration::from_secs(15);

/// Waits until a topic is recreated: a process has to be restarted to continue with the next
/// generation. Meanwhile it reports in the topic's component whether the brokers answer and whether
/// the process has its rights, which a process that has nothing to read or append would not notice
/// otherwise.
pub(super) async fn watch_topic_until_recreated(topic: &OpenTopic) -> LogError {
    let check = || topic.log.log().check_epoch_and_rights(topic.rights);
    check_until_recreated(&SystemClock, &topic.health, check).await
}

/// Waits until the brokers have fenced the producer of this process: it cannot append any more,
/// but a restarted process can. Appends fail for this reason too, but a client that sends trades
/// would only get that error again and again.
pub(super) async fn wait_until_producer_fenced(topic: &GuardedTopic) -> LogError {
    loop {
        SystemClock.sleep(CHECK_INTERVAL).await;
        if let Err(error) = topic.log().check_no_fatal_producer_error() {
            return error;
        }
    }
}

async fn check_until_recreated<C, F>(
    clock: &C,
    component: &HealthComponent,
    check: impl Fn() -> F,
) -> LogError
where
    C: Clock,
    F: Future<Output = Result<(), LogError>>,
{
    let mut answered_ns = clock.monotonic_ns();
    loop {
        clock.sleep(CHECK_INTERVAL).await;
        let result = check().await;
        let now_ns = clock.monotonic_ns();
        match result {
            Ok(()) => {
                answered_ns = now_ns;
                component.ready();
            }
            Err(error @ LogError::Recreated { .. }) => return error,
            // The brokers have answered, and waiting does not grant a right.
            Err(error @ LogError::Denied { .. }) => {
                answered_ns = now_ns;
                component.not_ready(error.to_string());
            }
            Err(error) => {
                let silence = Duration::from_nanos(now_ns.saturating_sub(answered_ns));
                if silence >= UNAVAILABLE_AFTER {
                    component.not_ready(format!(
                        "no answer for {UNAVAILABLE_AFTER:?} and more: {error}"
                    ));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use host::Health;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn unavailable_brokers_make_it_unready_and_single_failures_do_not() {
        let health = Health::default();
        let component = health.register("topic-trades");
        component.ready();
        let reasons = RefCell::new(Vec::new());
        let topic = || "trades".to_owned();
        let check_epoch = || async {
            let reason = health.readiness().components[0].reason.clone();
            reasons.borrow_mut().push(reason);
            let failed = Err(LogError::Unavailable {
                topic: topic(),
                reason: "no route".to_owned(),
            });
            // A check every two seconds.
            let checks = reasons.borrow().len();
            match checks {
                2..=9 => failed,
                11..50 if checks % 2 == 1 => failed,
                20 => Err(LogError::Denied {
                    topic: topic(),
                    reason: "no Write".to_owned(),
                }),
                50 => Err(LogError::Recreated { topic: topic() }),
                _ => Ok(()),
            }
        };
        let error = check_until_recreated(&SystemClock, &component, check_epoch).await;
        assert_eq!(error, LogError::Recreated { topic: topic() });
        // Without an answer since the first check, it is not ready from the ninth to the tenth.
        let mut expected = vec![None; 50];
        expected[9] = Some("no answer for 15s and more: trades: no route".to_owned());
        // A missing right is reported at once, until the right is there.
        for check in [20, 21] {
            expected[check] = Some("trades: no Write".to_owned());
        }
        assert_eq!(reasons.into_inner(), expected);
    }
}
