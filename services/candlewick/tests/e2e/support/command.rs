//! Commands that run and end.

use std::path::Path;
use std::process::{Command, Stdio};

use super::Standalone;

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

/// `candlewick verify` over a data folder, which must find no difference.
pub(crate) fn verify(data: &Path) -> String {
    let mut command = candlewick(&["verify", "--data"]);
    Finished::of(command.arg(data)).success()
}
