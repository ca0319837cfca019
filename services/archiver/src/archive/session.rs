//! What an archiver holds between loading the stored position and loading it again.

use clock::RetryTimer;

use super::pending::PendingRecords;

/// The state of an archiver from loading the stored position until it has to load it again.
pub(super) struct ArchiverSession {
    pub(super) pending: PendingRecords,
    /// When the log may be read again after a failure.
    pub(super) retry_timer: RetryTimer,
}

/// Whether a session continues after reading, or why it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SessionStepOutcome {
    /// The session continues.
    Continue,
    /// The archiver was stopped.
    Stopped,
    /// The log does not hold the next record. The position has to be loaded again: another
    /// archiver may have moved it meanwhile.
    OutOfRange,
}
