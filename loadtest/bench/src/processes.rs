//! The processes that are measured.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::Context;
use client::RestClient;

/// Returns a command of the `candlewick` in the folder of this program.
///
/// # Errors
/// If there is none.
pub(super) fn candlewick_command() -> anyhow::Result<Command> {
    let program = std::env::current_exe()?.with_file_name("candlewick");
    anyhow::ensure!(
        program.is_file(),
        "{} is missing: build it with `cargo build --release -p candlewick`",
        program.display()
    );
    Ok(Command::new(program))
}

/// A `standalone` over a folder of its own. It is killed when this is dropped.
pub(super) struct StandaloneProcess {
    child: Child,
    /// `http://ADDRESS`.
    pub(super) url: String,
}

impl StandaloneProcess {
    /// Starts the process and waits until it prints its address.
    pub(super) fn start(data: &Path) -> anyhow::Result<Self> {
        let mut child = candlewick_command()?
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
            if let Some(url) = line.trim().strip_prefix("symbols") {
                break url.trim().trim_end_matches("/api/v1/symbols").to_owned();
            }
        };
        std::thread::spawn(move || for _ in lines {});
        Ok(Self { child, url })
    }

    /// Returns a client of the process.
    pub(super) fn rest_client(&self) -> anyhow::Result<RestClient> {
        RestClient::new(&self.url).map_err(anyhow::Error::msg)
    }

    /// Returns the resident memory, in KiB.
    pub(super) fn resident_kib(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        number.and_then(|number| number.parse().ok()).unwrap_or(0)
    }
}

impl Drop for StandaloneProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Replays a tape as the trades of `venue`, and waits until all are acknowledged.
pub(super) fn replay_tape(tape: &Path, venue: &str, url: &str) -> anyhow::Result<()> {
    let status = candlewick_command()?
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
