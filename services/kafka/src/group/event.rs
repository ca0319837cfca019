//! What a consumer group tells its member.

use std::sync::mpsc::SyncSender;

use eventlog::{LogError, PartitionId};

/// What the group tells the member. Events are received in the order in which they happened.
#[derive(Debug)]
pub enum GroupEvent {
    /// These partitions are assigned to this member now, in addition to those that it has.
    Assigned(Vec<PartitionId>),
    /// These partitions are moved to another member, which gets them once `drained` is dropped.
    /// The receiver finishes and commits its work on them, and then drops it.
    Revoked {
        /// The partitions.
        partitions: Vec<PartitionId>,
        /// The group waits until this is dropped, at most for the drain timeout.
        drained: RevokedPartitionsGuard,
    },
    /// These partitions already belong to other members, because the group considered this member
    /// dead. The receiver drops its work on them; the store fences later commits.
    Lost(Vec<PartitionId>),
    /// This member is in the group and has no partition: other members have them all, or are still
    /// draining those that this member gets.
    Spare,
    /// An error.
    Error {
        /// The error that the brokers returned.
        error: LogError,
        /// Whether the membership has ended, for instance because another process has joined with
        /// the instance name of this one.
        is_over: bool,
    },
}

/// Keeps revoked partitions from being moved. Dropping it reports that they are drained.
#[derive(Debug)]
pub struct RevokedPartitionsGuard {
    #[expect(dead_code, reason = "the group waits until it is dropped")]
    sender: SyncSender<()>,
}

impl RevokedPartitionsGuard {
    /// Returns a guard whose drop disconnects the receiver of `sender`.
    pub(super) fn new(sender: SyncSender<()>) -> Self {
        Self { sender }
    }
}
