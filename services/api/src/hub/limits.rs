//! How much a hub keeps.

/// How much a hub keeps for clients that reconnect, in addition to bars that may not be in the
/// store yet.
#[derive(Debug, Clone, Copy)]
pub struct HubLimits {
    /// The number of closed bars that a channel keeps.
    pub closed_bars: usize,
    /// How often the durable position is set before a channel that has neither subscribers nor
    /// changes is dropped. A follower sets it once a second.
    pub idle_checks: u32,
}

impl Default for HubLimits {
    /// Returns eight bars and 60 checks, which are a minute.
    fn default() -> Self {
        Self {
            closed_bars: 8,
            idle_checks: 60,
        }
    }
}
