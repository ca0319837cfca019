//! Processes that are measured.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::Context;

/// A `standalone` of its own folder, ended when it is dropped.
pub(super) struct Standalone {
    child: Child,
    /// `http://ADDRESS`.
    pub(super) url: String,
}

impl Standalone {
    /// Starts one, and waits until it says where it listens.
    pub(super) fn start(data: &Path) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args([
                "standalone",
                "--listen",
                "127.0.0.1:0",
                "--log",
                "warn",
                "--data",
            ])
            .arg(data)
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start standalone")?;
        let output = child.stdout.take().context("standalone has no output")?;
        let mut lines = BufReader::new(output).lines();
        let url = loop {
            let line = lines.next().context("standalone ended at once")??;
            if let Some(place) = line.trim().strip_prefix("symbols") {
                let place = place.trim();
                break place.trim_end_matches("/api/v1/symbols").to_owned();
            }
        };
        std::thread::spawn(move || for _ in lines {});
        Ok(Self { child, url })
    }

    /// Memory held, in KiB.
    pub(super) fn resident_kib(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        number.and_then(|number| number.parse().ok()).unwrap_or(0)
    }
}

impl Drop for Standalone {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a tape as a venue of its own, and waits until all of it is acknowledged.
pub(super) fn replay(tape: &Path, venue: &str, url: &str) -> anyhow::Result<()> {
    let status = Command::new(std::env::current_exe()?)
        .arg("replay")
        .arg(tape)
        .args(["--venue", venue, "--to", url, "--id-scheme", "contiguous"])
        .args(["--no-progress", "--restart"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    anyhow::ensure!(status.success(), "replay failed: {status}");
    Ok(())
}
