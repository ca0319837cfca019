//! The topics' names.

/// The trades and the control records: the log that everything is computed from.
pub const TRADES: &str = "trades";
/// Forming, closed and corrected bars, partitioned as [`TRADES`].
pub const BAR_UPDATES: &str = "bar-updates";
/// Records that were not counted, with the reason, partitioned as [`TRADES`].
pub const DEAD_LETTERS: &str = "dead-letters";
