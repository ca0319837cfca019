//! Appending records to `trades`.

use std::collections::BTreeMap;
use std::mem;

use eventlog::{Log, LogError, NewRecord};
use schemas::DeadLetter;

/// How many records, and how much of them, are appended at once.
const BATCH: usize = 1_000;
const BATCH_BYTES: usize = 4 << 20;

/// Appends the originals to the partitions that their keys name, each partition's in order.
pub(super) struct Sending<'a, L> {
    trades: &'a L,
    waiting: BTreeMap<u32, Vec<NewRecord>>,
    count: usize,
    size_bytes: usize,
    sent: usize,
}

impl<'a, L: Log> Sending<'a, L> {
    pub(super) const fn new(trades: &'a L) -> Self {
        Self {
            trades,
            waiting: BTreeMap::new(),
            count: 0,
            size_bytes: 0,
            sent: 0,
        }
    }

    /// How many were appended.
    pub(super) const fn sent(&self) -> usize {
        self.sent
    }

    /// Takes the original of one, and appends those that wait where they are many. One without a
    /// key is left out.
    pub(super) async fn take(&mut self, letter: DeadLetter) -> Result<(), LogError> {
        let DeadLetter { key, value, .. } = letter;
        if key.is_empty() {
            return Ok(());
        }
        self.count += 1;
        self.size_bytes += key.len() + value.len();
        let partition = schemas::partition_of(&key, self.trades.partitions());
        let entries = self.waiting.entry(partition).or_default();
        entries.push(NewRecord { key, value });
        match self.count >= BATCH || self.size_bytes >= BATCH_BYTES {
            true => self.flush().await,
            false => Ok(()),
        }
    }

    /// Appends those that wait.
    pub(super) async fn flush(&mut self) -> Result<(), LogError> {
        (self.count, self.size_bytes) = (0, 0);
        for (partition, entries) in mem::take(&mut self.waiting) {
            let count = entries.len();
            self.trades.append(partition, entries).await?;
            self.sent += count;
        }
        Ok(())
    }
}
