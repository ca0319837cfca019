//! What a process asks of a topic again and again while it works.

use std::time::Duration;

use clock::{Clock, SystemClock};
use eventlog::{Log, LogError};
use host::HealthComponent;

use super::connect::Topic;
use super::member::nanoseconds;
use super::topics::Opened;

/// How often it asks.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Brokers that have not answered for so long are away: longer than one question may hang, so
/// that one that was lost says nothing.
const AWAY_AFTER: Duration = Duration::from_secs(15);

/// Ends once a topic was made anew, for a process that cannot go on with the next generation
/// unless it is started again. Meanwhile it says in the topic's component whether the brokers
/// answer: a process that has nothing to read or append would not notice.
pub(super) async fn renewed(topic: &Opened) -> LogError {
    watch(&SystemClock, &topic.component, || topic.log.check_epoch()).await
}

/// Ends once this process cannot append any more, while another could. Appends say so too, but
/// whoever sends trades can only be told of it, and would be told for ever.
pub(super) async fn spent(topic: &Topic) -> LogError {
    loop {
        SystemClock.sleep(LOOK_EVERY).await;
        if let Err(error) = topic.log().check_producer() {
            return error;
        }
    }
}

async fn watch<C, F>(clock: &C, component: &HealthComponent, ask: impl Fn() -> F) -> LogError
where
    C: Clock,
    F: Future<Output = Result<(), LogError>>,
{
    let mut heard_ns = clock.monotonic_ns();
    loop {
        clock.sleep(LOOK_EVERY).await;
        let answer = ask().await;
        let now_ns = clock.monotonic_ns();
        match answer {
            Ok(()) => {
                heard_ns = now_ns;
                component.ready();
            }
            Err(error @ LogError::Recreated { .. }) => return error,
            Err(error) => {
                if now_ns.saturating_sub(heard_ns) >= nanoseconds(AWAY_AFTER) {
                    component.not_ready(format!("no answer for {AWAY_AFTER:?} and more: {error}"));
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
    async fn brokers_that_are_away_make_it_unready_and_single_failures_do_not() {
        let health = Health::default();
        let component = health.register("topic-trades");
        component.ready();
        let before = RefCell::new(Vec::new());
        let topic = || "trades".to_owned();
        let ask = || async {
            let told = health.readiness().components[0].reason.clone();
            before.borrow_mut().push(told);
            let failed = Err(LogError::Unavailable {
                topic: topic(),
                reason: "no route".to_owned(),
            });
            // A question every two seconds.
            let asked = before.borrow().len();
            match asked {
                2..=9 => failed,
                11..50 if asked % 2 == 1 => failed,
                50 => Err(LogError::Recreated { topic: topic() }),
                _ => Ok(()),
            }
        };
        let ended = watch(&SystemClock, &component, ask).await;
        assert_eq!(ended, LogError::Recreated { topic: topic() });
        // Silent since the first question, it is unready after the ninth, until the tenth.
        let mut expected = vec![None; 50];
        expected[9] = Some("no answer for 15s and more: trades: no route".to_owned());
        assert_eq!(before.into_inner(), expected);
    }
}
