//! What may be deleted because of its age.

use market::{BAR_RETENTION_NS, Bar, HORIZON_NS, TICK_RETENTION_NS};

/// Decides what may be deleted at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RetentionLimits {
    now_ns: i64,
}

impl RetentionLimits {
    /// Creates the limits as of `now_ns`.
    pub(crate) const fn new(now_ns: i64) -> Self {
        Self { now_ns }
    }

    /// Returns whether ticks that were appended at `append_ns` may be deleted.
    pub(crate) const fn ticks_may_be_deleted(self, append_ns: i64) -> bool {
        append_ns < self.now_ns.saturating_sub(TICK_RETENTION_NS)
    }

    /// Returns whether verdicts on ticks that were appended at `append_ns` may be deleted. They are
    /// deleted before the ticks.
    pub(crate) const fn verdicts_may_be_deleted(self, append_ns: i64) -> bool {
        append_ns < self.now_ns.saturating_sub(HORIZON_NS)
    }

    /// Returns whether bars whose first trade was appended at `first_append_ns` may be deleted.
    pub(crate) const fn bars_may_be_deleted(self, first_append_ns: i64) -> bool {
        first_append_ns < self.now_ns.saturating_sub(BAR_RETENTION_NS)
    }

    /// Returns whether two different bars prove no error: the refolded one lacks trades that may be
    /// deleted, or has trades whose verdicts may be deleted.
    pub(crate) fn explains_difference(self, stored: &Bar, refolded: &Bar) -> bool {
        let is_unsure = self.verdicts_may_be_deleted(refolded.first_append_ns);
        let has_fewer_trades = refolded.trades < stored.trades;
        (self.ticks_may_be_deleted(stored.first_append_ns) && (has_fewer_trades || is_unsure))
            || (is_unsure && refolded.trades > stored.trades)
    }
}
