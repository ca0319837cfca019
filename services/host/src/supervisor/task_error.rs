//! Why a task did not succeed.

use tokio::task::JoinError;

/// Why a task did not succeed.
#[derive(Debug)]
pub(super) enum TaskError {
    /// It returned an error.
    Returned(anyhow::Error),
    /// It panicked or was aborted.
    Lost(JoinError),
}
