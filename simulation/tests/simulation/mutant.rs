//! Rules that can be broken on purpose.

/// A rule that is broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    NoCompareAndSet,
    PositionBeforeState,
    WatermarksLost,
    ClosesByWallClock,
    DeltaWithoutPrev,
    LosingWorkerNotRestarted,
    /// Announcements and dead letters are acknowledged before they are durable, so that a commit
    /// can come first.
    AckBeforeDurable,
    /// Transactions omit the later trades of marked minutes.
    MarkedMinuteTradesLost,
    /// Transactions omit pending amendments.
    PendingAmendmentsLost,
    /// A reader whose next record was dropped gets the first retained record instead of an error.
    GapSkipped,
    /// The store acknowledges some commits that it does not make.
    CommitLost,
    /// The record that follows a record which is left out is not appended.
    LeftOutNotFollowed,
    /// Edits and cancels are kept only as long as trades.
    AmendmentsExpireWithTrades,
    /// The excluded ranges of edits and cancels are kept only as long as those of trades.
    AmendmentVerdictsExpireWithTrades,
    /// Ticks beyond the end of their epoch count.
    TicksBeyondEpochEndCount,
    /// Pods do not know where epochs ended.
    PodKeepsStatesBeyondEpochEnd,
    /// Clients ignore where epochs ended.
    ClientKeepsStatesBeyondEpochEnd,
    /// The stored position in `bar-updates` is the end of the topic at the time of the commit.
    UpdatesPositionReadAnew,
    /// Pods that missed updates believe at the first answer of the store that it holds them.
    MissedUpdatesTrusted,
    /// Copies of settings are applied even if later ones are in force.
    OlderSettingsApplied,
    /// The owner of the partition that orders settings does not copy them to the others.
    SettingsNotCopied,
    /// Partitions keep different settings when a new epoch begins.
    SettingsDifferInNextEpoch,
    /// Segments of ids that left memory are taken for empty when they are loaded.
    EvictedIdsForgotten,
    /// The archive progress is stored without its append time.
    AppendTimeLost,
}
