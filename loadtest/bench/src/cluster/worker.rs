//! Work of a process of its own, so that its CPU time is that of the work alone.

use std::process::{Command, Stdio};

use anyhow::Context;
use clap::ValueEnum;
use clock::{Clock, SystemClock};
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;

use super::arguments::Settings;
use super::proc::{cpu_seconds, peak_kib};
use super::site::Site;
use super::wait::seconds_since;
use super::{plain, produce};

/// What such a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Work {
    /// The plain loop
    Plain,
    /// Appending trades
    Produce,
}

impl Work {
    const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Produce => "produce",
        }
    }
}

/// What it tells.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Report {
    /// How many trades it has read or sent.
    pub(super) trades: u64,
    /// How long that took, without the start of the process.
    pub(super) seconds: f64,
    /// User and system time of the process since its start.
    pub(super) cpu_seconds: f64,
    /// The most memory that it has held.
    pub(super) peak_kib: u64,
}

/// Does the work in this process, and prints the report.
pub(super) fn run(work: Work, settings: &Settings, runtime: &Runtime) -> anyhow::Result<()> {
    let (start_ns, trades) = match work {
        Work::Plain => {
            let start_ns = SystemClock.monotonic_ns();
            (start_ns, plain::run(settings)?)
        }
        Work::Produce => runtime.block_on(async {
            let producer = produce::Appender::of(settings).await?;
            let start_ns = SystemClock.monotonic_ns();
            let sent = producer.send(settings.trades, settings.span_seconds);
            anyhow::Ok((start_ns, sent.await?))
        })?,
    };
    let me = std::process::id();
    let report = Report {
        trades,
        seconds: seconds_since(start_ns),
        cpu_seconds: cpu_seconds(me)?,
        peak_kib: peak_kib(me)?,
    };
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

/// Has the work done by a process at a site, and waits for its report.
pub(super) fn have_done(
    work: Work,
    site: &Site,
    trades: u64,
    span_seconds: u64,
) -> anyhow::Result<Report> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["bench", "--worker", work.name()])
        .args(["--trades", &trades.to_string()])
        .args(["--span-seconds", &span_seconds.to_string()])
        .envs(site.environment())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    if let Some(path) = &site.config {
        command.arg("--config").arg(path);
    }
    let output = command.output().context("a child does not start")?;
    let status = output.status;
    anyhow::ensure!(status.success(), "the child that does {work:?}: {status}");
    let report = serde_json::from_slice::<Report>(&output.stdout)?;
    anyhow::ensure!(
        report.trades == trades,
        "{work:?}: {} trades instead of {trades}",
        report.trades
    );
    Ok(report)
}
