//! When a block ends.

use std::time::Duration;

/// When the ticks read so far are written, and the limits of the calls.
#[derive(Debug, Clone, Copy)]
pub struct BlockPolicy {
    /// Ticks are written whenever the next offset is a multiple of this number.
    pub offsets_per_block: u64,
    /// The longest time that a record which was read waits until it is written.
    pub max_delay: Duration,
    /// The size of the records that one call fetches, in bytes.
    pub fetch_bytes: usize,
    /// The time limit of a call to the store or the log.
    pub call_timeout: Duration,
}

impl Default for BlockPolicy {
    fn default() -> Self {
        Self {
            offsets_per_block: 65_536,
            max_delay: Duration::from_secs(1),
            fetch_bytes: 512 * 1024,
            call_timeout: Duration::from_secs(30),
        }
    }
}
