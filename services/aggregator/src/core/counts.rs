//! What the core counts.

use market::RejectReason;

/// What the core has counted since the last [`take_counts`](crate::FoldCore::take_counts).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoldCounts {
    /// Trades that count.
    pub trades: u64,
    /// Those of them whose minute was closed before.
    pub late: u64,
    /// Trades and amendments whose identity was seen before.
    pub duplicates: u64,
    /// Edits and cancels that count.
    pub amendments: u64,
    /// Minutes that were refolded.
    pub refolds: u64,
    /// Refolds whose minute was marked again before they came, or was refolded already.
    pub stale_refolds: u64,
    /// Refolds that were refused, because the ticks of their minute are not all there.
    pub refused_refolds: u64,
    /// Copies of settings that were not later than those in force.
    pub stale_settings: u64,
    /// Segments of ids that left memory because the ids used more than they may.
    pub evicted_id_segments: u64,
    /// Records that do not count, by reason.
    pub rejected: Vec<(RejectReason, u64)>,
}
