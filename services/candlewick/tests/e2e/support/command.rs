//! Commands that run and end.

use std::path::Path;
use std::process::{Command, Stdio};

use super::{TestProcess, until};

/// How a process ended, and its output.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    /// The output on both streams.
    pub(crate) text: String,
}

impl Finished {
    /// Asserts exit status 0; returns the output.
    pub(crate) fn success(self) -> String {
        assert_eq!(self.code, Some(0), "{}", self.text);
        self.text
    }
}

/// Returns a command of the binary without the environment variables that configure it.
pub(super) fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_candlewick"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CANDLEWICK_") {
            command.env_remove(name);
        }
    }
    command
}

/// Returns a command of the binary with some arguments.
pub(crate) fn candlewick(arguments: &[&str]) -> Command {
    let mut command = binary();
    command.args(arguments).stdin(Stdio::null());
    command
}

impl Finished {
    /// Runs a command to its end.
    pub(crate) fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Self {
            code: output.status.code(),
            text: text(&output.stdout) + &text(&output.stderr),
        }
    }
}

/// Returns a command that replays tapes into a process. It keeps its progress in the folder
/// `state`.
pub(crate) fn replay(
    to: &TestProcess,
    state: &Path,
    venue: &str,
    tapes: &[impl AsRef<Path>],
    options: &[&str],
) -> Command {
    let url = to.url();
    let mut command = candlewick(&["replay", "--no-progress", "--venue", venue, "--to", &url]);
    command.args(options).args(tapes.iter().map(AsRef::as_ref));
    command.env("XDG_STATE_HOME", state);
    command
}

/// Runs `candlewick verify` over a data folder until it counts `trades` trades; each run has to
/// find every bar proved. Returns the last output.
///
/// With a running process bars are in REST before they are stored, so several runs may be needed.
pub(crate) fn verify(data: &Path, trades: u64) -> String {
    let data = data.to_str().unwrap();
    verify_with(&["--data", data], trades)
}

/// Does the same over the stores that the options name.
pub(crate) fn verify_with(options: &[&str], trades: u64) -> String {
    let output = until("verify has seen every trade", || {
        let mut command = candlewick(&["verify", "--no-progress"]);
        let output = Finished::of(command.args(options)).success();
        assert_eq!(table_number(&output, "differences"), 0, "{output}");
        assert!(table_number(&output, "trades") <= trades, "{output}");
        (table_number(&output, "trades") == trades).then_some(output)
    });
    assert!(table_number(&output, "1m bars compared") > 0, "{output}");
    let shown = ["ticks read", "trades", "excluded: duplicate", "differences"];
    let shown = shown.map(|name| format!("{name} {}", table_number(&output, name)));
    println!("verify says: {}", shown.join(", "));
    output
}

/// Returns a number of the table that a command prints; 0 if the table does not have it.
pub(crate) fn table_number(output: &str, name: &str) -> u64 {
    let rows = output.lines().filter_map(|line| line.rsplit_once("  "));
    let mut found = rows.filter(|(row, _)| row.trim() == name);
    let digits = found.next().map_or("0", |(_, digits)| digits.trim());
    digits.replace(',', "").parse().unwrap()
}
