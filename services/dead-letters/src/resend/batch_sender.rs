//! Appends records to `trades` in batches.

use std::collections::BTreeMap;
use std::mem;

use eventlog::{Log, LogError, NewRecord};
use schemas::DeadLetter;

/// The limits of a batch, over all partitions.
const BATCH_RECORDS: usize = 1_000;
const BATCH_BYTES: usize = 4 << 20;

/// Appends the original records of dead letters to the partitions of their keys, in order within
/// each partition.
pub(super) struct OriginalRecordBatchSender<'a, L> {
    trades: &'a L,
    /// The records of the current batch, by partition.
    batch: BTreeMap<u32, Vec<NewRecord>>,
    batch_records: usize,
    batch_bytes: usize,
    sent_count: usize,
}

impl<'a, L: Log> OriginalRecordBatchSender<'a, L> {
    /// Creates a sender without records.
    pub(super) const fn new(trades: &'a L) -> Self {
        Self {
            trades,
            batch: BTreeMap::new(),
            batch_records: 0,
            batch_bytes: 0,
            sent_count: 0,
        }
    }

    /// Returns the number of records that were appended.
    pub(super) const fn sent_count(&self) -> usize {
        self.sent_count
    }

    /// Adds the original record of a dead letter to the batch, and appends the batch if it is full.
    /// A record without a key is skipped.
    pub(super) async fn add_original_record_and_flush_if_full(
        &mut self,
        letter: DeadLetter,
    ) -> Result<(), LogError> {
        let DeadLetter { key, value, .. } = letter;
        if key.is_empty() {
            return Ok(());
        }
        self.batch_records += 1;
        self.batch_bytes += key.len() + value.len();
        let partition = schemas::partition_of(&key, self.trades.partition_count());
        let records = self.batch.entry(partition).or_default();
        records.push(NewRecord { key, value });
        match self.batch_records >= BATCH_RECORDS || self.batch_bytes >= BATCH_BYTES {
            true => self.flush().await,
            false => Ok(()),
        }
    }

    /// Appends the batch.
    pub(super) async fn flush(&mut self) -> Result<(), LogError> {
        (self.batch_records, self.batch_bytes) = (0, 0);
        for (partition, records) in mem::take(&mut self.batch) {
            let count = records.len();
            self.trades.append(partition, records).await?;
            self.sent_count += count;
        }
        Ok(())
    }
}
