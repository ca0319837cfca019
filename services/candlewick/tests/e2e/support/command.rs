//! Commands that run and end.

use std::path::Path;
use std::process::{Command, Stdio};

use super::{Standalone, until};

/// How a process ended, and what it wrote.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    /// What it printed and logged.
    pub(crate) text: String,
}

impl Finished {
    /// The text, of a command that must have succeeded.
    pub(crate) fn success(self) -> String {
        assert_eq!(self.code, Some(0), "{}", self.text);
        self.text
    }
}

/// The binary, with nothing in its environment that would configure it.
pub(super) fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_candlewick"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CANDLEWICK_") {
            command.env_remove(name);
        }
    }
    command
}

/// A command of the binary, to which more can be added.
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

/// A replay of tapes into a process, to be run. `state` is where it notes how far it got.
pub(crate) fn replay(
    to: &Standalone,
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

/// `candlewick verify` over a data folder, until it has seen that many trades count: every time it
/// must find every bar proved. What it said last.
///
/// Beside a running process bars come to REST before they are stored, so it may be asked again.
pub(crate) fn verify(data: &Path, trades: u64) -> String {
    let data = data.to_str().unwrap();
    verify_with(&["--data", data], trades)
}

/// The same over what the options name.
pub(crate) fn verify_with(options: &[&str], trades: u64) -> String {
    let told = until("verify has seen every trade", || {
        let mut command = candlewick(&["verify", "--no-progress"]);
        let told = Finished::of(command.args(options)).success();
        assert_eq!(figure(&told, "differences"), 0, "{told}");
        assert!(figure(&told, "trades") <= trades, "{told}");
        (figure(&told, "trades") == trades).then_some(told)
    });
    assert!(figure(&told, "1m bars compared") > 0, "{told}");
    let shown = ["ticks read", "trades", "excluded: duplicate", "differences"];
    let shown = shown.map(|name| format!("{name} {}", figure(&told, name)));
    println!("verify says: {}", shown.join(", "));
    told
}

/// A number of the table that a command prints; 0 where the table does not have it.
pub(crate) fn figure(told: &str, name: &str) -> u64 {
    let rows = told.lines().filter_map(|line| line.rsplit_once("  "));
    let mut found = rows.filter(|(row, _)| row.trim() == name);
    let digits = found.next().map_or("0", |(_, digits)| digits.trim());
    digits.replace(',', "").parse().unwrap()
}
