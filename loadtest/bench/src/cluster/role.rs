//! A role as a process of its own.

use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;

use super::proc::{cpu_seconds, is_alive, peak_kib};
use super::site::Site;
use super::wait::until;

/// How long a role may take to be ready.
const READY: Duration = Duration::from_secs(120);

/// A role as a process of its own, which ends with this handle.
pub(super) struct Role {
    name: String,
    child: Child,
    url: Arc<OnceLock<String>>,
}

impl Role {
    /// Starts one, and waits for nothing.
    pub(super) fn start(site: &Site, role: &str, instance: Option<&str>) -> anyhow::Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        command
            .args([role, "--listen", "127.0.0.1:0"])
            .envs(site.environment())
            // Who looks for a reason sets the variable.
            .env(
                "CANDLEWICK_LOG",
                env::var("CANDLEWICK_LOG").unwrap_or_else(|_| "error".into()),
            )
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        if role != "api" {
            command.args(["--group", &site.group(role)]);
        }
        if let Some(path) = &site.config {
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
        let told = Arc::clone(&url);
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let place = line.trim().strip_prefix("health").map(str::trim);
                let place = place.and_then(|place| place.strip_suffix("/readyz"));
                if let Some(place) = place {
                    // It says so once.
                    let _ = told.set(place.to_owned());
                }
            }
        });
        Ok(Self {
            name: role.to_owned(),
            child,
            url,
        })
    }

    /// Fails where it has ended.
    pub(super) fn check_alive(&self) -> anyhow::Result<()> {
        anyhow::ensure!(is_alive(self.child.id()), "the {} has ended", self.name);
        Ok(())
    }

    /// Where it listens, once it has said so.
    pub(super) fn url(&self) -> Option<&str> {
        self.url.get().map(String::as_str)
    }

    /// Waits until it is ready.
    pub(super) async fn ready(&self) -> anyhow::Result<()> {
        let what = format!("the {} is ready", self.name);
        until(&what, READY, || async {
            self.check_alive()?;
            let Some(report) = self.report()? else {
                return Ok(None);
            };
            Ok((report["status"] == "ready").then_some(()))
        })
        .await
    }

    /// The partitions that it works on now.
    pub(super) fn partitions(&self) -> anyhow::Result<Vec<u32>> {
        let report = self.report()?.context("it does not listen yet")?;
        let beginning = format!("{}-", self.name);
        let components = report["components"].as_array().into_iter().flatten();
        let names = components.filter_map(|one| one["name"].as_str());
        let numbers = names.filter_map(|name| name.strip_prefix(&beginning)?.parse().ok());
        Ok(numbers.collect())
    }

    /// What it says of itself, once it listens.
    fn report(&self) -> anyhow::Result<Option<Value>> {
        let Some(url) = self.url() else {
            return Ok(None);
        };
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build()
            .into();
        let text = agent
            .get(format!("{url}/readyz"))
            .call()?
            .body_mut()
            .read_to_string()?;
        Ok(Some(serde_json::from_str(&text)?))
    }

    /// Its user and system time so far, in seconds.
    pub(super) fn cpu_seconds(&self) -> anyhow::Result<f64> {
        cpu_seconds(self.child.id())
    }

    /// The most memory that it has held.
    pub(super) fn peak(&self) -> anyhow::Result<String> {
        Ok(mebibytes(peak_kib(self.child.id())?))
    }

    /// SIGKILL; it has ended when this returns.
    pub(super) fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// KiB as MiB.
pub(super) fn mebibytes(kib: u64) -> String {
    format!("{} MiB", kib / 1_024)
}
