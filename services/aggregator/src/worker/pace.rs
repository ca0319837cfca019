//! How often a worker does what.

use std::time::Duration;

/// How often a worker does what, and how much it takes at once.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
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
    /// Records folded and not committed beyond which fetching pauses.
    pub uncommitted_limit: u64,
    /// How long a call to a store or a topic may take.
    pub call_timeout: Duration,
    /// The longest first wait before another try.
    pub retry_first: Duration,
    /// The longest wait before another try.
    pub retry_most: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            tick_least: Duration::from_millis(10),
            tick_most: Duration::from_millis(250),
            commit_every: Duration::from_millis(500),
            advance_every: Duration::from_secs(1),
            fetch_bytes: 256 * 1024,
            uncommitted_limit: 2_000_000,
            call_timeout: Duration::from_secs(30),
            retry_first: Duration::from_millis(50),
            retry_most: Duration::from_secs(5),
        }
    }
}
