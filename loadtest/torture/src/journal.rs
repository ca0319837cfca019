//! The log of a run's events.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use clock::{Clock, SystemClock};

/// Locks a mutex whose holders leave the value consistent even if they panic.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file with a line for each event, next to the logs of the processes.
#[derive(Debug)]
pub(crate) struct Journal {
    folder: PathBuf,
    file: Mutex<File>,
    begin_ns: u64,
}

impl Journal {
    /// Creates the file in a folder, which is created if it does not exist.
    pub(crate) fn create(folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
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

    /// Returns the time since the start of the run, in milliseconds.
    pub(crate) fn elapsed_ms(&self) -> u64 {
        (SystemClock.monotonic_ns() - self.begin_ns) / 1_000_000
    }

    /// Writes an event.
    pub(crate) fn write_event(&self, what: &str) {
        let ms = self.elapsed_ms();
        let now = market::format_time(SystemClock.now_ns());
        let line = format!("{now} {:>5}.{:03} {what}\n", ms / 1_000, ms % 1_000);
        // A full disk must not end the run.
        let _ = lock(&self.file).write_all(line.as_bytes());
    }

    /// Writes an event and prints it.
    pub(crate) fn write_and_print(&self, what: &str) {
        self.write_event(what);
        let ms = self.elapsed_ms();
        println!("{:>5}.{:01} {what}", ms / 1_000, ms % 1_000 / 100);
    }
}
