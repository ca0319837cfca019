//! A topic in memory, which starts empty.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

use clock::Clock;

use crate::error::LogError;
use crate::log::{Log, OffsetBounds};
use crate::partition_end::PartitionEnd;
use crate::record::{Epoch, NewRecord, Offset, PartitionId, Record, RecordBatch};
use crate::wall_clock::WallClock;

/// What a record takes up in addition to its key and value, roughly.
const RECORD_OVERHEAD_BYTES: usize = 64;

/// A topic in memory: a bounded queue of records for each partition, lost when the process ends.
///
/// An append that takes a partition beyond its bound drops the oldest records of that partition,
/// whether they were read or not. A reader that was slower gets [`LogError::OutOfRange`].
#[derive(Clone)]
pub struct MemoryLog {
    topic: Arc<MemoryTopic>,
}

/// What the clones of a log share.
struct MemoryTopic {
    epoch: Epoch,
    max_bytes_per_partition: usize,
    clock: WallClock,
    partitions: Vec<MemoryPartition>,
}

struct MemoryPartition {
    kept: Mutex<KeptRecords>,
    visible_end: PartitionEnd,
}

/// The newest records of a partition.
#[derive(Default)]
struct KeptRecords {
    records: VecDeque<Record>,
    first: Offset,
    size_bytes: usize,
    last_append_ns: Option<i64>,
}

impl MemoryLog {
    /// Returns an empty topic. `epoch` must be greater than the epoch that the topic had the last
    /// time the process started.
    ///
    /// The bound counts keys, values and 64 bytes for each record. The newest record is always
    /// kept. Append times are taken from `clock`; they never go back, although the clock may.
    #[must_use]
    pub fn new(
        partitions: PartitionId,
        epoch: Epoch,
        max_bytes_per_partition: usize,
        clock: impl Clock,
    ) -> Self {
        let partition = |_| MemoryPartition {
            kept: Mutex::default(),
            visible_end: PartitionEnd::new(0),
        };
        Self {
            topic: Arc::new(MemoryTopic {
                epoch,
                max_bytes_per_partition,
                clock: WallClock::new(clock),
                partitions: (0..partitions).map(partition).collect(),
            }),
        }
    }

    /// Ends every wait, and fails every later call, with [`LogError::Closed`].
    pub fn close(&self) {
        for partition in &self.topic.partitions {
            partition.visible_end.close();
        }
    }

    fn partition(&self, partition: PartitionId) -> Result<&MemoryPartition, LogError> {
        let found = self.topic.partitions.get(partition as usize);
        let found = found.ok_or(LogError::NoSuchPartition {
            partition,
            partitions: self.partition_count(),
        })?;
        found.visible_end.check_open()?;
        Ok(found)
    }
}

impl MemoryPartition {
    fn lock_kept(&self) -> MutexGuard<'_, KeptRecords> {
        self.kept.lock().expect("no holder of the records panics")
    }
}

impl KeptRecords {
    fn end(&self) -> Offset {
        self.first + self.records.len() as u64
    }

    fn push(&mut self, records: Vec<NewRecord>, now_ns: i64) {
        let append_time_ns = self.last_append_ns.map_or(now_ns, |last| last.max(now_ns));
        self.last_append_ns = Some(append_time_ns);
        for NewRecord { key, value } in records {
            let record = Record {
                offset: self.end(),
                append_time_ns,
                key,
                value,
            };
            self.size_bytes += cost_bytes(&record);
            self.records.push_back(record);
        }
    }

    /// Drops the oldest records until the others use at most `max_bytes`.
    fn drop_oldest_beyond(&mut self, max_bytes: usize) {
        while self.size_bytes > max_bytes && self.records.len() > 1 {
            if let Some(oldest) = self.records.pop_front() {
                self.size_bytes -= cost_bytes(&oldest);
                self.first += 1;
            }
        }
    }

    /// Returns the records starting at `offset`, which must be within the bounds.
    fn read(&self, offset: Offset, max_bytes: usize) -> Vec<Record> {
        let skip = usize::try_from(offset - self.first).expect("the records fit in memory");
        let mut used_bytes = 0_usize;
        let fits = |record: &&Record| {
            let is_first = used_bytes == 0;
            used_bytes += record.key.len() + record.value.len() + 1;
            is_first || used_bytes <= max_bytes
        };
        self.records
            .range(skip..)
            .take_while(fits)
            .cloned()
            .collect()
    }
}

/// Returns how many bytes of the bound a record uses.
fn cost_bytes(record: &Record) -> usize {
    record.key.len() + record.value.len() + RECORD_OVERHEAD_BYTES
}

impl Log for MemoryLog {
    fn partition_count(&self) -> PartitionId {
        PartitionId::try_from(self.topic.partitions.len()).expect("created from a PartitionId")
    }

    fn epoch(&self) -> Epoch {
        self.topic.epoch
    }

    async fn append(
        &self,
        partition: PartitionId,
        records: Vec<NewRecord>,
    ) -> Result<Range<Offset>, LogError> {
        let partition = self.partition(partition)?;
        let mut kept = partition.lock_kept();
        let offset = kept.end();
        if records.is_empty() {
            return Ok(offset..offset);
        }
        kept.push(records, self.topic.clock.now_ns());
        kept.drop_oldest_beyond(self.topic.max_bytes_per_partition);
        // Under the lock, so that two appends cannot publish their ends in the wrong order.
        partition.visible_end.advance(kept.end());
        Ok(offset..kept.end())
    }

    async fn fetch(
        &self,
        partition: PartitionId,
        offset: Offset,
        max_bytes: usize,
    ) -> Result<RecordBatch, LogError> {
        let kept = self.partition(partition)?.lock_kept();
        let (first, end) = (kept.first, kept.end());
        if !(first..=end).contains(&offset) {
            return Err(LogError::OutOfRange {
                partition,
                offset,
                first,
                end,
            });
        }
        let records = kept.read(offset, max_bytes);
        let next_offset = offset + records.len() as u64;
        Ok(RecordBatch {
            records,
            next_offset,
        })
    }

    async fn wait_for_record(
        &self,
        partition: PartitionId,
        offset: Offset,
    ) -> Result<(), LogError> {
        self.partition(partition)?
            .visible_end
            .wait_beyond(offset)
            .await
    }

    async fn bounds(&self, partition: PartitionId) -> Result<OffsetBounds, LogError> {
        let kept = self.partition(partition)?.lock_kept();
        Ok(OffsetBounds {
            first: kept.first,
            end: kept.end(),
        })
    }

    fn end_hint(&self, partition: PartitionId) -> Option<Offset> {
        Some(self.partition(partition).ok()?.lock_kept().end())
    }
}
