//! How the process ended.

use std::fmt;
use std::process;

use super::JoinEnd;

/// How the process ended.
#[derive(Debug)]
#[must_use = "it says what to exit with"]
pub enum Outcome {
    /// In order: every task stopped when told to.
    Stopped,
    /// These tasks, of which there is at least one, ended early, badly or not at all.
    Failed(Vec<TaskFailure>),
    /// At once, on a second signal.
    Forced,
}

impl Outcome {
    pub(super) fn of(failures: Vec<TaskFailure>) -> Self {
        match failures.is_empty() {
            true => Self::Stopped,
            false => Self::Failed(failures),
        }
    }

    /// The code to exit with: 0 if all stopped in order, 1 if a task failed, 130 if forced (as a shell
    /// reports SIGINT).
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Stopped => 0,
            Self::Failed(_) => 1,
            Self::Forced => 130,
        }
    }

    /// Logs the outcome and ends the process, without waiting for threads that still run.
    pub fn exit(self) -> ! {
        let exit_code = self.exit_code();
        match self {
            Self::Stopped => tracing::info!("{self}"),
            Self::Failed(_) | Self::Forced => tracing::error!(exit_code, "{self}"),
        }
        process::exit(exit_code.into())
    }
}

impl fmt::Display for Outcome {
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

/// What went wrong with a task; `task` is its name.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the field `task` is described above")]
pub enum TaskFailure {
    /// It returned before it was told to stop.
    #[error("task {task} ended early")]
    EndedEarly { task: String },
    /// It returned this error, before or after it was told to stop.
    #[error("task {task} failed: {cause:#}")]
    Failed { task: String, cause: anyhow::Error },
    /// It panicked with this message.
    #[error("task {task} panicked: {message}")]
    Panicked { task: String, message: String },
    /// It was told to stop and did not in time.
    #[error("task {task} did not stop in time")]
    Overdue { task: String },
}

impl TaskFailure {
    /// Of a task that was not told to stop, so that success is a failure too.
    pub(super) fn early(task: String, result: Result<(), JoinEnd>) -> Self {
        match result {
            Ok(()) => Self::EndedEarly { task },
            Err(end) => Self::from_end(task, end),
        }
    }

    /// Of a task that ended during the shutdown.
    pub(super) fn late(task: String, result: Result<(), JoinEnd>) -> Option<Self> {
        result.err().map(|end| Self::from_end(task, end))
    }

    fn from_end(task: String, end: JoinEnd) -> Self {
        match end {
            JoinEnd::Error(cause) => Self::Failed { task, cause },
            JoinEnd::Lost(error) => match error.try_into_panic() {
                Ok(payload) => Self::Panicked {
                    task,
                    message: message_of(payload.as_ref()),
                },
                Err(cancelled) => Self::Failed {
                    task,
                    cause: cancelled.into(),
                },
            },
        }
    }

    /// The name of the task.
    pub fn task(&self) -> &str {
        match self {
            Self::EndedEarly { task }
            | Self::Failed { task, .. }
            | Self::Panicked { task, .. }
            | Self::Overdue { task } => task,
        }
    }
}

/// The text that a panic was given.
fn message_of(payload: &(dyn std::any::Any + Send)) -> String {
    let literal = payload.downcast_ref::<&str>().copied();
    let text = literal.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("not a text").to_owned()
}
