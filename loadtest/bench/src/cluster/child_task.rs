//! Tasks of child processes, whose CPU time is that of the task alone.

use std::process::{Command, Stdio};

use anyhow::Context;
use clap::ValueEnum;
use clock::{Clock, SystemClock};
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;

use super::arguments::Settings;
use super::process_stats::{cpu_seconds, peak_kib};
use super::sandbox::Sandbox;
use super::wait::seconds_since;
use super::{plain, produce};

/// The task of a child process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ChildTask {
    /// The plain loop
    Plain,
    /// Appending trades
    Produce,
}

impl ChildTask {
    const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Produce => "produce",
        }
    }
}

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

/// Runs a task in this process and prints the report.
pub(super) fn run_task(
    task: ChildTask,
    settings: &Settings,
    runtime: &Runtime,
) -> anyhow::Result<()> {
    let (start_ns, trades) = match task {
        ChildTask::Plain => {
            let start_ns = SystemClock.monotonic_ns();
            (start_ns, plain::count_trades(settings)?)
        }
        ChildTask::Produce => runtime.block_on(async {
            let producer = produce::Appender::from_settings(settings).await?;
            let start_ns = SystemClock.monotonic_ns();
            let sent = producer.append_trades(settings.trades, settings.span_seconds);
            anyhow::Ok((start_ns, sent.await?))
        })?,
    };
    let me = std::process::id();
    let report = ChildReport {
        trades,
        seconds: seconds_since(start_ns),
        cpu_seconds: cpu_seconds(me)?,
        peak_kib: peak_kib(me)?,
    };
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
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
