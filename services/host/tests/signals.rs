//! Real signals to a real process: this test binary, run again as the process that gets them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use candlewick_host::{Health, ShutdownStage, Supervisor};
use clock::SystemClock;
use rustix::process::{Pid, Signal, kill_process};

/// Runs a process with a task that stops on request or never, sends it signals, and returns its
/// exit code.
fn exit_code_after(mode: &str, signals: &[Signal]) -> Option<i32> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "signalled_process", "--ignored", "--nocapture"])
        .env("CANDLEWICK_TEST_MODE", mode)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for signal in signals {
        assert!(
            lines.any(|line| line.unwrap().ends_with("waiting")),
            "the process ended"
        );
        kill_process(Pid::from_child(&child), *signal).unwrap();
    }
    child.wait().unwrap().code()
}

#[test]
fn sigterm_and_sigint_stop_in_order() {
    assert_eq!(exit_code_after("stops", &[Signal::TERM]), Some(0));
    assert_eq!(exit_code_after("stops", &[Signal::INT]), Some(0));
}

#[test]
fn a_second_signal_ends_a_process_that_does_not_stop() {
    assert_eq!(
        exit_code_after("stuck", &[Signal::TERM, Signal::INT]),
        Some(130)
    );
}

#[tokio::test]
#[ignore = "run by the other tests, which send it signals"]
async fn signalled_process() {
    let mode = std::env::var("CANDLEWICK_TEST_MODE").unwrap();
    let mut supervisor = Supervisor::new(SystemClock, Health::default());
    supervisor.spawn(ShutdownStage::Intake, "task", move |stop| async move {
        // The supervisor listens by the time its tasks are polled: both are on this one thread.
        println!("waiting");
        stop.cancelled().await;
        if mode == "stuck" {
            println!("still waiting");
            std::future::pending::<()>().await;
        }
        Ok(())
    });
    supervisor
        .run_until_shutdown(Duration::from_secs(60))
        .await
        .unwrap()
        .exit()
}
