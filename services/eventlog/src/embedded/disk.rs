//! The file under the store, watched for failures that no retry can mend.

use std::fs::File;
use std::io;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::backends::FileBackend;
use redb::{BackendError, DatabaseError, StorageBackend};

/// How the disk does.
///
/// After a failed sync the operating system may hold as clean what never reached the disk, and
/// a later sync says nothing of it. So that is for good: nothing more is written.
#[derive(Debug, Clone, Default)]
pub(super) struct Health(Arc<Faults>);

#[derive(Debug, Default)]
struct Faults {
    sync_failed: AtomicBool,
    #[cfg(test)]
    is_full: AtomicBool,
    #[cfg(test)]
    fails_syncs: AtomicBool,
}

impl Health {
    /// Whether a sync has ever failed.
    pub(super) fn sync_failed(&self) -> bool {
        self.0.sync_failed.load(Ordering::Acquire)
    }

    #[cfg(test)]
    pub(super) fn set_full(&self, is_full: bool) {
        self.0.is_full.store(is_full, Ordering::Release);
    }

    #[cfg(test)]
    pub(super) fn fail_syncs(&self) {
        self.0.fails_syncs.store(true, Ordering::Release);
    }

    fn check_space(&self) -> io::Result<()> {
        #[cfg(test)]
        if self.0.is_full.load(Ordering::Acquire) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn check_sync(&self) -> io::Result<()> {
        #[cfg(test)]
        if self.0.fails_syncs.load(Ordering::Acquire) {
            return Err(io::Error::other("injected"));
        }
        Ok(())
    }
}

/// A file as the store wants it.
#[derive(Debug)]
pub(super) struct Disk {
    file: FileBackend,
    health: Health,
}

impl Disk {
    /// Takes a file opened for reading and writing.
    pub(super) fn new(file: File, health: Health) -> Result<Self, DatabaseError> {
        Ok(Self {
            file: FileBackend::new(file)?,
            health,
        })
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.health.check_space()?;
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.health
            .check_sync()
            .and_then(|()| self.file.sync_data())
            .inspect_err(|_| self.health.0.sync_failed.store(true, Ordering::Release))
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.health.check_space()?;
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}
