//! The intervals, limits and timeouts of a worker.

use std::time::Duration;

/// The intervals, limits and timeouts of a worker.
#[derive(Debug, Clone, Copy)]
pub struct WorkerConfig {
    /// The least time between two announcements of a bar.
    pub min_announce_interval: Duration,
    /// The greatest time between two announcements, however long announcing takes.
    pub max_announce_interval: Duration,
    /// How long changes wait before they are committed.
    pub commit_interval: Duration,
    /// How long the log may be quiet before an advance is appended to it, while a window is open.
    pub advance_interval: Duration,
    /// How long the log may be quiet before an advance is appended to it, while none is open:
    /// windows without trades close as time passes.
    pub idle_advance_interval: Duration,
    /// The number of bytes of records fetched at once.
    pub max_fetch_bytes: usize,
    /// The number of bytes of records that may be folded and not committed. While the store is
    /// down, live deltas go on up to this limit; then fetching pauses.
    pub max_uncommitted_bytes: u64,
    /// The lag that is logged as an error: half of the time that the log keeps `trades`.
    pub lag_alarm: Duration,
    /// How often the worker checks whether dirty minutes can be refolded.
    pub refold_interval: Duration,
    /// How many records of the partition are left out within an hour of the log because the store
    /// refuses what they change, by whichever worker. At the next one the partition stops,
    /// because the cause is then more likely the store than the data.
    pub max_left_out_per_hour: usize,
    /// How long a call to a store or a topic may take.
    pub call_timeout: Duration,
    /// The upper bound of the first backoff.
    pub max_first_backoff: Duration,
    /// The upper bound of every backoff.
    pub max_backoff: Duration,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            min_announce_interval: Duration::from_millis(10),
            max_announce_interval: Duration::from_millis(250),
            commit_interval: Duration::from_millis(500),
            advance_interval: Duration::from_secs(1),
            idle_advance_interval: Duration::from_secs(60),
            max_fetch_bytes: 256 * 1024,
            max_uncommitted_bytes: 256 << 20,
            lag_alarm: Duration::from_secs(7 * 86_400 / 2),
            refold_interval: Duration::from_millis(200),
            max_left_out_per_hour: 3,
            call_timeout: Duration::from_secs(30),
            max_first_backoff: Duration::from_millis(50),
            max_backoff: Duration::from_secs(5),
        }
    }
}
