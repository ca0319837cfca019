//! Child processes and their reports.

use std::process::{Command, Stdio};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::child_task::ChildTask;
use super::sandbox::Sandbox;

/// What a child process reports on its standard output.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ChildReport {
    /// The number of trades that it has read or sent.
    pub(super) trades: u64,
    /// How long the task took, without the start of the process.
    pub(super) seconds: f64,
    /// User and system time of the process since its start.
    pub(super) cpu_seconds: f64,
    /// The greatest resident memory.
    pub(super) peak_kib: u64,
}

/// Runs a task in a child process over a sandbox, and waits for its report.
pub(super) fn run_child(
    task: ChildTask,
    sandbox: &Sandbox,
    trades: u64,
    span_seconds: u64,
) -> anyhow::Result<ChildReport> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["--worker", task.name()])
        .args(["--trades", &trades.to_string()])
        .args(["--span-seconds", &span_seconds.to_string()])
        .envs(sandbox.environment())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    if let Some(path) = &sandbox.config {
        command.arg("--config").arg(path);
    }
    let output = command
        .output()
        .context("the child process does not start")?;
    let status = output.status;
    anyhow::ensure!(status.success(), "the child process of {task:?}: {status}");
    let report = serde_json::from_slice::<ChildReport>(&output.stdout)?;
    anyhow::ensure!(
        report.trades == trades,
        "{task:?}: {} trades instead of {trades}",
        report.trades
    );
    Ok(report)
}
