//! The tasks of a simulated cluster.

use std::future::Future;
use std::pin::Pin;

use tokio_util::sync::CancellationToken;

pub type Task = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// A task that may be dropped at any moment.
pub struct CrashableTask {
    pub task: Task,
    pub role: Role,
    pub number: u64,
    /// The scheduler does not poll the task before this turn: its process is frozen.
    pub frozen_until_turn: u64,
    pub stop: CancellationToken,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Worker(u32),
    Archiver(u32),
    Follower,
}
