//! What happened when.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use clock::{Clock, SystemClock};

/// Locks what no holder leaves half done.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file with a line for each event, beside the logs of the processes.
#[derive(Debug)]
pub(crate) struct Journal {
    folder: PathBuf,
    file: Mutex<File>,
    begin_ns: u64,
}

impl Journal {
    /// Begins one in a folder, which is made where it is not there.
    pub(crate) fn begin(folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        let path = folder.join("events.log");
        let file =
            File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self {
            folder: folder.to_owned(),
            file: Mutex::new(file),
            begin_ns: SystemClock.monotonic_ns(),
        })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// How long the run has been going on, in milliseconds.
    pub(crate) fn elapsed_ms(&self) -> u64 {
        (SystemClock.monotonic_ns() - self.begin_ns) / 1_000_000
    }

    /// Notes an event.
    pub(crate) fn note(&self, what: &str) {
        let ms = self.elapsed_ms();
        let now = market::format_time(SystemClock.now_ns());
        let line = format!("{now} {:>5}.{:03} {what}\n", ms / 1_000, ms % 1_000);
        // A full disk must not hide what the run is about.
        let _ = lock(&self.file).write_all(line.as_bytes());
    }

    /// Notes an event, and says it.
    pub(crate) fn say(&self, what: &str) {
        self.note(what);
        let ms = self.elapsed_ms();
        println!("{:>5}.{:01} {what}", ms / 1_000, ms % 1_000 / 100);
    }
}
