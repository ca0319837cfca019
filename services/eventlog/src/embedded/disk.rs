//! The file under the database, which remembers failures that no retry can correct.

use std::fs::File;
use std::io;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::backends::FileBackend;
use redb::{BackendError, DatabaseError, StorageBackend};

/// Whether a sync of the disk has failed. Clones share the state.
///
/// After a failed sync the operating system may consider data as written that never reached the
/// disk, and a later sync does not report it. So the failure is permanent: nothing more is written.
#[derive(Debug, Clone, Default)]
pub(super) struct SyncFailureState(Arc<DiskFaults>);

#[derive(Debug, Default)]
struct DiskFaults {
    has_failed_sync: AtomicBool,
    #[cfg(test)]
    injects_full: AtomicBool,
    #[cfg(test)]
    injects_sync_errors: AtomicBool,
}

impl SyncFailureState {
    /// Returns whether a sync has ever failed.
    pub(super) fn has_failed_sync(&self) -> bool {
        self.0.has_failed_sync.load(Ordering::Acquire)
    }

    #[cfg(test)]
    pub(super) fn inject_full_disk(&self, is_full: bool) {
        self.0.injects_full.store(is_full, Ordering::Release);
    }

    #[cfg(test)]
    pub(super) fn inject_sync_errors(&self) {
        self.0.injects_sync_errors.store(true, Ordering::Release);
    }

    /// Returns the error that a test injects into writes.
    fn check_injected_full_disk(&self) -> io::Result<()> {
        #[cfg(test)]
        if self.0.injects_full.load(Ordering::Acquire) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    /// Returns the error that a test injects into syncs.
    fn check_injected_sync_error(&self) -> io::Result<()> {
        #[cfg(test)]
        if self.0.injects_sync_errors.load(Ordering::Acquire) {
            return Err(io::Error::other("injected"));
        }
        Ok(())
    }
}

/// A file that records failed syncs in a [`SyncFailureState`].
#[derive(Debug)]
pub(super) struct SyncFailureTrackingFile {
    file: FileBackend,
    state: SyncFailureState,
}

impl SyncFailureTrackingFile {
    /// Returns the backend over a file that is open for reading and writing.
    pub(super) fn new(file: File, state: SyncFailureState) -> Result<Self, DatabaseError> {
        Ok(Self {
            file: FileBackend::new(file)?,
            state,
        })
    }
}

impl StorageBackend for SyncFailureTrackingFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.state.check_injected_full_disk()?;
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.state
            .check_injected_sync_error()
            .and_then(|()| self.file.sync_data())
            .inspect_err(|_| {
                self.state.0.has_failed_sync.store(true, Ordering::Release);
            })
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.state.check_injected_full_disk()?;
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
