use std::future::pending;
use std::sync::{Arc, Mutex};

use anyhow::anyhow;
use tokio::sync::mpsc;

use super::*;
use clock::SystemClock;

const DEADLINE: Duration = Duration::from_secs(30);

/// The signals of a test, and no more after them.
struct TestSignals(mpsc::UnboundedReceiver<&'static str>);

impl SignalSource for TestSignals {
    async fn next_signal(&mut self) -> &'static str {
        match self.0.recv().await {
            Some(signal) => signal,
            None => pending().await,
        }
    }
}

fn test_signals(sent: &[&'static str]) -> TestSignals {
    let (sender, receiver) = mpsc::unbounded_channel();
    sent.iter().for_each(|signal| sender.send(*signal).unwrap());
    TestSignals(receiver)
}

fn new_supervisor() -> Supervisor<SystemClock> {
    Supervisor::new(SystemClock, Health::default())
}

async fn run_until_stopped(stop: CancellationToken) -> anyhow::Result<()> {
    stop.cancelled().await;
    Ok(())
}

fn failure_messages(outcome: ShutdownOutcome) -> Vec<String> {
    assert_eq!(outcome.exit_code(), 1);
    match outcome {
        ShutdownOutcome::Failed(failures) => failures.iter().map(ToString::to_string).collect(),
        ShutdownOutcome::Stopped | ShutdownOutcome::Forced => panic!("{outcome}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_signal_stops_stage_after_stage() {
    let stopped = Arc::new(Mutex::new(Vec::new()));
    let mut supervisor = new_supervisor();
    for (stage, name) in [
        (ShutdownStage::Observe, "probes"),
        (ShutdownStage::Process, "worker"),
        (ShutdownStage::Intake, "fetcher"),
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
    let outcome = supervisor.run(test_signals(&["SIGTERM"]), DEADLINE).await;
    assert!(matches!(outcome, ShutdownOutcome::Stopped) && outcome.exit_code() == 0);
    assert_eq!(*stopped.lock().unwrap(), ["fetcher", "worker", "probes"]);
    assert!(!health.readiness().is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_task_that_ends_early_stops_the_others_and_the_process_fails() {
    let mut early = new_supervisor();
    early.spawn(ShutdownStage::Process, "worker", run_until_stopped);
    early.spawn(ShutdownStage::Intake, "fetcher", async |_| Ok(()));
    assert_eq!(
        failure_messages(early.run(test_signals(&[]), DEADLINE).await),
        ["task fetcher ended early"]
    );

    let mut failing = new_supervisor();
    failing.spawn_finite(ShutdownStage::Intake, "replay", async |_| {
        Err(anyhow!("bad line").context("tape"))
    });
    failing.spawn(ShutdownStage::Process, "worker", run_until_stopped);
    let expected = ["task replay failed: tape: bad line"];
    assert_eq!(
        failure_messages(failing.run(test_signals(&[]), DEADLINE).await),
        expected
    );

    let mut panicking = new_supervisor();
    panicking.spawn(ShutdownStage::Process, "worker", async |_| {
        panic!("offset {}", 7)
    });
    let expected = ["task worker panicked: offset 7"];
    assert_eq!(
        failure_messages(panicking.run(test_signals(&[]), DEADLINE).await),
        expected
    );
}

#[tokio::test(start_paused = true)]
async fn overdue_tasks_are_named_and_the_later_stages_still_get_their_time() {
    let mut supervisor = new_supervisor();
    supervisor.spawn(ShutdownStage::Intake, "stuck", async |_| pending().await);
    supervisor.spawn(
        ShutdownStage::Process,
        "worker",
        async |stop: CancellationToken| {
            stop.cancelled().await;
            SystemClock.sleep(DEADLINE / 2).await;
            Err(anyhow!("flush failed"))
        },
    );
    let begin_ns = SystemClock.monotonic_ns();
    let outcome = supervisor.run(test_signals(&["SIGINT"]), DEADLINE).await;
    let expected = [
        "task worker failed: flush failed",
        "task stuck did not stop in time",
    ];
    assert_eq!(failure_messages(outcome), expected);
    let elapsed = Duration::from_nanos(SystemClock.monotonic_ns() - begin_ns);
    assert!(
        elapsed >= DEADLINE && elapsed < DEADLINE + Duration::from_secs(1),
        "{elapsed:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_second_signal_ends_at_once() {
    let mut supervisor = new_supervisor();
    supervisor.spawn(ShutdownStage::Intake, "stuck", async |_| pending().await);
    let begin_ns = SystemClock.monotonic_ns();
    let outcome = supervisor
        .run(test_signals(&["SIGINT", "SIGINT"]), DEADLINE)
        .await;
    assert!(matches!(outcome, ShutdownOutcome::Forced) && outcome.exit_code() == 130);
    assert!(SystemClock.monotonic_ns() - begin_ns < 1_000_000_000);
}

#[tokio::test(start_paused = true)]
async fn finite_tasks_may_end_and_the_last_end_or_the_trigger_stops_the_process() {
    let mut done = new_supervisor();
    done.spawn_finite(ShutdownStage::Intake, "replay", async |_| Ok(()));
    assert!(matches!(
        done.run(test_signals(&[]), DEADLINE).await,
        ShutdownOutcome::Stopped
    ));

    let mut triggered = new_supervisor();
    let trigger = triggered.shutdown_trigger();
    triggered.spawn(ShutdownStage::Process, "worker", run_until_stopped);
    triggered.spawn_finite(ShutdownStage::Intake, "replay", async move |_| {
        trigger.cancel();
        Ok(())
    });
    assert!(matches!(
        triggered.run(test_signals(&[]), DEADLINE).await,
        ShutdownOutcome::Stopped
    ));
}
