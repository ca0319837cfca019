//! The file that lets a run resume an interrupted one.
//!
//! It holds the number of trades, in the order of the merged tapes, that a log has acknowledged
//! without a gap. Its name is a digest of everything that this order and the log depend on, so a
//! run with another log, other tapes or other options never finds it.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The shortest time between two writes.
const SAVE_INTERVAL: Duration = Duration::from_secs(1);
const VERSION: u32 = 1;

/// The digest that identifies a run.
#[derive(Debug)]
pub(crate) struct RunKey(blake3::Hasher);

impl RunKey {
    /// Creates the key of no parts.
    pub(crate) fn new() -> Self {
        Self(blake3::Hasher::new())
    }

    /// Adds something that distinguishes runs.
    pub(crate) fn add_part(&mut self, part: &[u8]) {
        self.0.update(&(part.len() as u64).to_le_bytes());
        self.0.update(part);
    }

    fn to_file_name(&self) -> String {
        let hex = self.0.finalize().to_hex();
        format!("{}.json", &hex[..32])
    }
}

/// Trades from the beginning of the tapes that the log has acknowledged without a gap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct AcknowledgedTradeCounts {
    /// The number of trades, rejected ones included.
    pub(crate) trades: u64,
    /// The number of those that were rejected.
    pub(crate) rejected: u64,
}

/// The JSON of the file.
#[derive(Serialize, Deserialize)]
struct ResumeFileContent {
    version: u32,
    trades: u64,
    rejected: u64,
}

/// The file that holds how far a run got.
#[derive(Debug)]
pub(crate) struct ResumeFile {
    path: PathBuf,
    saved_at: Option<Duration>,
}

impl ResumeFile {
    /// Names the file of the run `key` in `folder`. Reads and writes nothing.
    pub(crate) fn new(folder: &Path, key: &RunKey) -> Self {
        Self {
            path: folder.join(key.to_file_name()),
            saved_at: None,
        }
    }

    /// Returns how far an earlier run got. A file that cannot be read or parsed counts as absent:
    /// sending everything again is safe.
    pub(crate) fn load(&self) -> Option<AcknowledgedTradeCounts> {
        let bytes = std::fs::read(&self.path).ok()?;
        let content: ResumeFileContent = serde_json::from_slice(&bytes).ok()?;
        let is_valid = content.version == VERSION && content.rejected <= content.trades;
        is_valid.then_some(AcknowledgedTradeCounts {
            trades: content.trades,
            rejected: content.rejected,
        })
    }

    /// Returns whether the last write was long enough ago.
    pub(crate) fn is_save_due(&self, now: Duration) -> bool {
        self.saved_at
            .is_none_or(|before| now >= before + SAVE_INTERVAL)
    }

    /// Saves how far the run got. The file is replaced in one step, so it is never incomplete.
    ///
    /// # Errors
    /// If the folder cannot be written to.
    pub(crate) fn save(
        &mut self,
        acknowledged: AcknowledgedTradeCounts,
        now: Duration,
    ) -> io::Result<()> {
        self.saved_at = Some(now);
        let content = ResumeFileContent {
            version: VERSION,
            trades: acknowledged.trades,
            rejected: acknowledged.rejected,
        };
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        // The name holds the process id, as the same replay may run twice at the same time.
        let temporary = self
            .path
            .with_extension(format!("{}.new", std::process::id()));
        std::fs::write(&temporary, serde_json::to_vec(&content)?)?;
        std::fs::rename(&temporary, &self.path)
    }

    /// Removes the file if it exists.
    ///
    /// # Errors
    /// If it exists and cannot be removed.
    pub(crate) fn remove(&self) -> io::Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Returns the folder of resume files, `$XDG_STATE_HOME/candlewick/replay`. If that variable is not
/// set, or not an absolute path, `~/.local/state` is used in its place, as the
/// [XDG base directory specification](https://specifications.freedesktop.org/basedir/latest/)
/// requires. `None` if neither variable is usable.
pub(crate) fn state_folder(
    xdg_state_home: Option<OsString>,
    home: Option<OsString>,
) -> Option<PathBuf> {
    let is_usable = |path: &PathBuf| path.is_absolute();
    let base = xdg_state_home.map(PathBuf::from).filter(is_usable);
    let base = base.or_else(|| {
        let home = home.map(PathBuf::from).filter(is_usable)?;
        Some(home.join(".local/state"))
    });
    Some(base?.join("candlewick/replay"))
}

#[cfg(test)]
mod tests;
