//! A role as a process of its own.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use client::RestClient;
use serde_json::Value;

use super::process_stats::{cpu_seconds, is_alive, peak_memory_kib};
use super::sandbox::Sandbox;
use super::wait::wait_until;
use crate::processes::candlewick_command;

/// How long a role may take to be ready.
const READY_TIMEOUT: Duration = Duration::from_secs(120);

/// Lets the sandbox's present database take over its topic `trades` from the one before: roles
/// refuse a topic that is folded into another database.
pub(super) fn bind_trades_topic(sandbox: &Sandbox) -> anyhow::Result<()> {
    let mut command = candlewick_command()?;
    command
        .args(["topics", "bind"])
        .envs(sandbox.environment())
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    if let Some(path) = &sandbox.config {
        command.arg("--config").arg(path);
    }
    let status = command.status().context("cannot start `topics bind`")?;
    anyhow::ensure!(status.success(), "`topics bind` ended with {status}");
    Ok(())
}

/// A role as a process of its own. It is killed when this is dropped.
pub(super) struct RoleProcess {
    name: String,
    child: Child,
    url: Arc<OnceLock<String>>,
}

impl RoleProcess {
    /// Starts the process without waiting for it.
    pub(super) fn start(
        sandbox: &Sandbox,
        role: &str,
        instance: Option<&str>,
    ) -> anyhow::Result<Self> {
        let mut command = candlewick_command()?;
        command
            .args([role, "--listen", "127.0.0.1:0"])
            .envs(sandbox.environment())
            // A user who debugs sets the variable.
            .env(
                "CANDLEWICK_LOG",
                std::env::var("CANDLEWICK_LOG").unwrap_or_else(|_| "error".into()),
            )
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        if role != "api" {
            command.args(["--group", &sandbox.group_name(role)]);
        }
        if let Some(path) = &sandbox.config {
            command.arg("--config").arg(path);
        }
        if let Some(instance) = instance {
            command.args(["--instance", instance]);
        }
        let mut child = command
            .spawn()
            .with_context(|| format!("the role {role} does not start"))?;
        let output = child.stdout.take().context("a child has no output")?;
        let url = Arc::new(OnceLock::new());
        let url_cell = Arc::clone(&url);
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let address = line.trim().strip_prefix("health").map(str::trim);
                let address = address.and_then(|address| address.strip_suffix("/readyz"));
                if let Some(address) = address {
                    // The line is printed once.
                    let _ = url_cell.set(address.to_owned());
                }
            }
        });
        Ok(Self {
            name: role.to_owned(),
            child,
            url,
        })
    }

    /// Checks that the process has not ended.
    ///
    /// # Errors
    /// If the process has ended.
    pub(super) fn check_alive(&self) -> anyhow::Result<()> {
        anyhow::ensure!(is_alive(self.child.id()), "the {} has ended", self.name);
        Ok(())
    }

    /// Returns the URL of the process once it has printed it.
    pub(super) fn url(&self) -> Option<&str> {
        self.url.get().map(String::as_str)
    }

    /// Waits until the process is ready.
    pub(super) async fn wait_until_ready(&self) -> anyhow::Result<()> {
        let what = format!("the {} is ready", self.name);
        wait_until(&what, READY_TIMEOUT, || async {
            self.check_alive()?;
            let Some(report) = self.read_readiness_if_listening()? else {
                return Ok(None);
            };
            Ok((report["status"] == "ready").then_some(()))
        })
        .await
    }

    /// Returns the partitions that the process owns now.
    pub(super) fn assigned_partitions(&self) -> anyhow::Result<Vec<u32>> {
        let report = self
            .read_readiness_if_listening()?
            .context("the role does not listen yet")?;
        let prefix = format!("{}-", self.name);
        let components = report["components"].as_array().into_iter().flatten();
        let names = components.filter_map(|one| one["name"].as_str());
        let numbers = names.filter_map(|name| name.strip_prefix(&prefix)?.parse().ok());
        Ok(numbers.collect())
    }

    /// Returns the components that are not ready, with their reasons.
    pub(super) fn list_unready_reasons(&self) -> anyhow::Result<String> {
        let Some(report) = self.read_readiness_if_listening()? else {
            return Ok(format!("the {} does not listen yet", self.name));
        };
        let components = report["components"].as_array().into_iter().flatten();
        let unready = components.filter(|one| one["ready"] == false);
        let reasons = unready.map(|one| format!("{}: {}", one["name"], one["reason"]));
        Ok(reasons.collect::<Vec<_>>().join("; "))
    }

    /// Returns what `/readyz` reports; `None` if the process does not listen yet.
    fn read_readiness_if_listening(&self) -> anyhow::Result<Option<Value>> {
        let Some(url) = self.url() else {
            return Ok(None);
        };
        let rest = RestClient::new(url).map_err(anyhow::Error::msg)?;
        Ok(Some(rest.get("/readyz")?.json()?))
    }

    /// Returns the user and system time so far, in seconds.
    pub(super) fn cpu_seconds(&self) -> anyhow::Result<f64> {
        cpu_seconds(self.child.id())
    }

    /// Returns the greatest resident memory so far.
    pub(super) fn peak_memory_text(&self) -> anyhow::Result<String> {
        Ok(format_as_mebibytes(peak_memory_kib(self.child.id())?))
    }

    /// Sends SIGKILL and waits until the process has ended.
    pub(super) fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for RoleProcess {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Formats KiB as MiB.
pub(super) fn format_as_mebibytes(kib: u64) -> String {
    format!("{} MiB", kib / 1_024)
}
