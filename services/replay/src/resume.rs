//! Going on where an earlier run was stopped.
//!
//! A small file says how many trades, in the order of the merged tapes, a log has acknowledged
//! without a gap. It is named by a digest of all that this order and the log depend on, so
//! another log, other files or other options never find it.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The least time between two writes.
const INTERVAL: Duration = Duration::from_secs(1);
const VERSION: u32 = 1;

/// What a run is known by.
#[derive(Debug)]
pub(crate) struct RunKey(blake3::Hasher);

impl RunKey {
    /// A key of nothing yet.
    pub(crate) fn new() -> Self {
        Self(blake3::Hasher::new())
    }

    /// Adds something that tells runs apart.
    pub(crate) fn add(&mut self, part: &[u8]) {
        self.0.update(&(part.len() as u64).to_le_bytes());
        self.0.update(part);
    }

    fn name(&self) -> String {
        let hex = self.0.finalize().to_hex();
        format!("{}.json", &hex[..32])
    }
}

/// How far a run got.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Reached {
    /// How many trades were acknowledged without a gap.
    pub(crate) trades: u64,
    /// How many of them were refused.
    pub(crate) rejected: u64,
}

/// What the file holds.
#[derive(Serialize, Deserialize)]
struct Note {
    version: u32,
    trades: u64,
    rejected: u64,
}

/// The file that says how far a run got.
#[derive(Debug)]
pub(crate) struct ResumeFile {
    path: PathBuf,
    saved_at: Option<Duration>,
}

impl ResumeFile {
    /// The file of the run of this key, in `folder`.
    pub(crate) fn new(folder: &Path, key: &RunKey) -> Self {
        Self {
            path: folder.join(key.name()),
            saved_at: None,
        }
    }

    /// How far the run got before. A file that cannot be understood says nothing: sending
    /// everything again is safe.
    pub(crate) fn load(&self) -> Option<Reached> {
        let bytes = std::fs::read(&self.path).ok()?;
        let note: Note = serde_json::from_slice(&bytes).ok()?;
        let is_sound = note.version == VERSION && note.rejected <= note.trades;
        is_sound.then_some(Reached {
            trades: note.trades,
            rejected: note.rejected,
        })
    }

    /// Whether the last write is long enough ago.
    pub(crate) fn is_due(&self, now: Duration) -> bool {
        self.saved_at.is_none_or(|before| now >= before + INTERVAL)
    }

    /// Saves how far the run got; the file is whole at any time.
    ///
    /// # Errors
    /// Where the folder cannot be written to.
    pub(crate) fn save(&mut self, reached: Reached, now: Duration) -> io::Result<()> {
        self.saved_at = Some(now);
        let note = Note {
            version: VERSION,
            trades: reached.trades,
            rejected: reached.rejected,
        };
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        // A name of its own, as somebody may run the same replay twice at once.
        let scratch = self
            .path
            .with_extension(format!("{}.new", std::process::id()));
        std::fs::write(&scratch, serde_json::to_vec(&note)?)?;
        std::fs::rename(&scratch, &self.path)
    }

    /// Removes the file: the run is done, or begins again.
    ///
    /// # Errors
    /// Where there is one that cannot be removed.
    pub(crate) fn remove(&self) -> io::Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// The folder of resume files: `$XDG_STATE_HOME/candlewick/replay`, where that is
/// `~/.local/state` if it is not set or not absolute, as the
/// [XDG base directories](https://specifications.freedesktop.org/basedir/latest/) have it.
pub(crate) fn folder(state_home: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    let is_usable = |path: &PathBuf| path.is_absolute();
    let base = state_home.map(PathBuf::from).filter(is_usable);
    let base = base.or_else(|| {
        let home = home.map(PathBuf::from).filter(is_usable)?;
        Some(home.join(".local/state"))
    });
    Some(base?.join("candlewick/replay"))
}

#[cfg(test)]
mod tests;
