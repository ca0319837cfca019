use std::future::pending;
use std::sync::{Arc, Mutex};

use anyhow::anyhow;
use tokio::sync::mpsc;

use super::*;
use clock::SystemClock;

const DEADLINE: Duration = Duration::from_secs(30);

/// Signals sent by a test; none further come once its end is dropped.
struct Sent(mpsc::UnboundedReceiver<&'static str>);

impl SignalSource for Sent {
    async fn next(&mut self) -> &'static str {
        match self.0.recv().await {
            Some(signal) => signal,
            None => pending().await,
        }
    }
}

fn signals(sent: &[&'static str]) -> Sent {
    let (sender, receiver) = mpsc::unbounded_channel();
    sent.iter().for_each(|signal| sender.send(*signal).unwrap());
    Sent(receiver)
}

fn supervisor() -> Supervisor<SystemClock> {
    Supervisor::new(SystemClock, Health::default())
}

async fn until(stop: CancellationToken) -> anyhow::Result<()> {
    stop.cancelled().await;
    Ok(())
}

fn failures(outcome: Outcome) -> Vec<String> {
    assert_eq!(outcome.exit_code(), 1);
    match outcome {
        Outcome::Failed(failures) => failures.iter().map(ToString::to_string).collect(),
        Outcome::Stopped | Outcome::Forced => panic!("{outcome}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_signal_stops_stage_after_stage() {
    let stopped = Arc::new(Mutex::new(Vec::new()));
    let mut supervisor = supervisor();
    for (stage, name) in [
        (Stage::Observe, "probes"),
        (Stage::Process, "worker"),
        (Stage::Intake, "fetcher"),
    ] {
        let stopped = Arc::clone(&stopped);
        supervisor.spawn(stage, name, |stop| async move {
            stop.cancelled().await;
            SystemClock.sleep(Duration::from_secs(1)).await;
            stopped.lock().unwrap().push(name);
            Ok(())
        });
    }
    let health = supervisor.health.clone();
    let outcome = supervisor.run(signals(&["SIGTERM"]), DEADLINE).await;
    assert!(matches!(outcome, Outcome::Stopped) && outcome.exit_code() == 0);
    assert_eq!(*stopped.lock().unwrap(), ["fetcher", "worker", "probes"]);
    assert!(!health.readiness().is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_task_that_ends_early_stops_the_others_and_the_process_fails() {
    let mut early = supervisor();
    early.spawn(Stage::Process, "worker", until);
    early.spawn(Stage::Intake, "fetcher", async |_| Ok(()));
    assert_eq!(
        failures(early.run(signals(&[]), DEADLINE).await),
        ["task fetcher ended early"]
    );

    let mut failing = supervisor();
    failing.spawn_finite(Stage::Intake, "replay", async |_| {
        Err(anyhow!("bad line").context("tape"))
    });
    failing.spawn(Stage::Process, "worker", until);
    let expected = ["task replay failed: tape: bad line"];
    assert_eq!(
        failures(failing.run(signals(&[]), DEADLINE).await),
        expected
    );

    let mut panicking = supervisor();
    panicking.spawn(Stage::Process, "worker", async |_| panic!("offset {}", 7));
    let expected = ["task worker panicked: offset 7"];
    assert_eq!(
        failures(panicking.run(signals(&[]), DEADLINE).await),
        expected
    );
}

#[tokio::test(start_paused = true)]
async fn tasks_that_overstay_are_named_and_the_later_stages_still_get_their_time() {
    let mut supervisor = supervisor();
    supervisor.spawn(Stage::Intake, "stuck", async |_| pending().await);
    supervisor.spawn(Stage::Process, "worker", async |stop: CancellationToken| {
        stop.cancelled().await;
        SystemClock.sleep(DEADLINE / 2).await;
        Err(anyhow!("flush failed"))
    });
    let begin_ns = SystemClock.monotonic_ns();
    let outcome = supervisor.run(signals(&["SIGINT"]), DEADLINE).await;
    let expected = [
        "task worker failed: flush failed",
        "task stuck did not stop in time",
    ];
    assert_eq!(failures(outcome), expected);
    let took = Duration::from_nanos(SystemClock.monotonic_ns() - begin_ns);
    assert!(
        took >= DEADLINE && took < DEADLINE + Duration::from_secs(1),
        "{took:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_second_signal_ends_at_once() {
    let mut supervisor = supervisor();
    supervisor.spawn(Stage::Intake, "stuck", async |_| pending().await);
    let begin_ns = SystemClock.monotonic_ns();
    let outcome = supervisor
        .run(signals(&["SIGINT", "SIGINT"]), DEADLINE)
        .await;
    assert!(matches!(outcome, Outcome::Forced) && outcome.exit_code() == 130);
    assert!(SystemClock.monotonic_ns() - begin_ns < 1_000_000_000);
}

#[tokio::test(start_paused = true)]
async fn finite_tasks_may_end_and_the_last_end_or_the_trigger_stops_the_process() {
    let mut done = supervisor();
    done.spawn_finite(Stage::Intake, "replay", async |_| Ok(()));
    assert!(matches!(
        done.run(signals(&[]), DEADLINE).await,
        Outcome::Stopped
    ));

    let mut triggered = supervisor();
    let trigger = triggered.trigger();
    triggered.spawn(Stage::Process, "worker", until);
    triggered.spawn_finite(Stage::Intake, "replay", async move |_| {
        trigger.cancel();
        Ok(())
    });
    assert!(matches!(
        triggered.run(signals(&[]), DEADLINE).await,
        Outcome::Stopped
    ));
}
