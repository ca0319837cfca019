//! How the process ended.

use std::fmt;
use std::process;

use super::task_error::TaskError;

/// How the process ended.
#[derive(Debug)]
#[must_use = "it holds the exit code"]
pub enum ShutdownOutcome {
    /// In order: every task stopped on request.
    Stopped,
    /// At least one task failed, ended early, or did not stop.
    Failed(Vec<TaskFailure>),
    /// At once, on a second signal.
    Forced,
}

impl ShutdownOutcome {
    /// Returns the outcome of a shutdown with these failures.
    pub(super) fn from_failures(failures: Vec<TaskFailure>) -> Self {
        match failures.is_empty() {
            true => Self::Stopped,
            false => Self::Failed(failures),
        }
    }

    /// Returns the code to exit with: 0 if all tasks stopped in order, 1 if a task failed, 130 if
    /// the end was forced (as a shell reports SIGINT).
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Stopped => 0,
            Self::Failed(_) => 1,
            Self::Forced => 130,
        }
    }

    /// Logs the outcome and ends the process, without waiting for threads that are still running.
    pub fn exit(self) -> ! {
        let exit_code = self.exit_code();
        match self {
            Self::Stopped => tracing::info!("{self}"),
            Self::Failed(_) | Self::Forced => tracing::error!(exit_code, "{self}"),
        }
        process::exit(exit_code.into())
    }
}

impl fmt::Display for ShutdownOutcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped => formatter.write_str("stopped"),
            Self::Forced => formatter.write_str("ended at once"),
            Self::Failed(failures) => {
                let failures: Vec<_> = failures.iter().map(ToString::to_string).collect();
                formatter.write_str(&failures.join("; "))
            }
        }
    }
}

/// How a task failed; `task` is its name.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the field `task` is described above")]
pub enum TaskFailure {
    /// It returned before it was stopped.
    #[error("task {task} ended early")]
    EndedEarly { task: String },
    /// It returned this error, before or after it was stopped.
    #[error("task {task} failed: {cause:#}")]
    Failed { task: String, cause: anyhow::Error },
    /// It panicked with this message.
    #[error("task {task} panicked: {message}")]
    Panicked { task: String, message: String },
    /// It was stopped and did not end in time.
    #[error("task {task} did not stop in time")]
    Overdue { task: String },
}

impl TaskFailure {
    /// Returns the failure of a task that ended before it was stopped, so that success is a failure
    /// too.
    pub(super) fn from_end_before_stop(task: String, result: Result<(), TaskError>) -> Self {
        match result {
            Ok(()) => Self::EndedEarly { task },
            Err(error) => Self::from_error(task, error),
        }
    }

    /// Returns the failure, if any, of a task that ended after it was stopped.
    pub(super) fn from_end_after_stop(task: String, result: Result<(), TaskError>) -> Option<Self> {
        result.err().map(|error| Self::from_error(task, error))
    }

    fn from_error(task: String, error: TaskError) -> Self {
        match error {
            TaskError::Returned(cause) => Self::Failed { task, cause },
            TaskError::Lost(error) => match error.try_into_panic() {
                Ok(payload) => Self::Panicked {
                    task,
                    message: panic_message(payload.as_ref()),
                },
                Err(cancelled) => Self::Failed {
                    task,
                    cause: cancelled.into(),
                },
            },
        }
    }

    /// Returns the name of the task.
    pub fn task(&self) -> &str {
        match self {
            Self::EndedEarly { task }
            | Self::Failed { task, .. }
            | Self::Panicked { task, .. }
            | Self::Overdue { task } => task,
        }
    }
}

/// Returns the message of a panic.
fn panic_message(payload: &(dyn std::any::Any + Send)) -> String {
    let literal = payload.downcast_ref::<&str>().copied();
    let text = literal.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("not a text").to_owned()
}
