//! How often a worker does what.

use std::time::Duration;

/// How often a worker does what, and how much it takes at once.
#[derive(Debug, Clone, Copy)]
pub struct WorkerConfig {
    /// The least time between two announcements of a bar.
    pub tick_least: Duration,
    /// The most, however long announcing takes.
    pub tick_most: Duration,
    /// How long changes wait to be committed.
    pub commit_every: Duration,
    /// How long the log may be quiet before an advance is appended to it.
    pub advance_every: Duration,
    /// Bytes of records fetched at once.
    pub fetch_bytes: usize,
    /// Bytes of records that may be folded and not committed: live deltas go on while the store
    /// is down until there are as many, then fetching pauses.
    pub uncommitted_bytes: u64,
    /// A lag that is an alarm: half of the time that `trades` are kept in the log.
    pub lag_most: Duration,
    /// How often is looked whether marked minutes can be folded anew.
    pub refold_every: Duration,
    /// How long a call to a store or a topic may take.
    pub call_timeout: Duration,
    /// The longest first wait before another try.
    pub retry_first: Duration,
    /// The longest wait before another try.
    pub retry_most: Duration,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            tick_least: Duration::from_millis(10),
            tick_most: Duration::from_millis(250),
            commit_every: Duration::from_millis(500),
            advance_every: Duration::from_secs(1),
            fetch_bytes: 256 * 1024,
            uncommitted_bytes: 256 << 20,
            lag_most: Duration::from_secs(7 * 86_400 / 2),
            refold_every: Duration::from_millis(200),
            call_timeout: Duration::from_secs(30),
            retry_first: Duration::from_millis(50),
            retry_most: Duration::from_secs(5),
        }
    }
}
