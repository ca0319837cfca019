//! The number of symbols and batches that the latency measurement sends.

pub(super) const SYMBOLS: usize = 100;
pub(super) const SECONDS: u64 = 15;
pub(super) const BATCHES_PER_SECOND: u64 = 100;
