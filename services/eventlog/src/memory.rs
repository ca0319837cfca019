//! A topic in memory, which starts empty.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

use clock::Clock;

use crate::progress::Progress;
use crate::wall_clock::WallClock;
use crate::{Batch, Bounds, Epoch, Log, LogError, NewRecord, Offset, PartitionId, Record};

/// What a record costs beside its key and value, roughly.
const RECORD_OVERHEAD_BYTES: usize = 64;

/// A topic kept in memory: a ring for each partition, gone when the process ends.
///
/// An append that takes a partition beyond its bound drops that partition's oldest records,
/// read or not; a reader that was slower finds out by [`LogError::OutOfRange`].
#[derive(Clone)]
pub struct MemoryLog {
    topic: Arc<Topic>,
}

struct Topic {
    epoch: Epoch,
    max_bytes_per_partition: usize,
    clock: WallClock,
    partitions: Vec<Partition>,
}

struct Partition {
    ring: Mutex<Ring>,
    progress: Progress,
}

#[derive(Default)]
struct Ring {
    records: VecDeque<Record>,
    first: Offset,
    size_bytes: usize,
    last_append_ns: Option<i64>,
}

impl MemoryLog {
    /// An empty topic. `epoch` must be greater than that of the same topic's last start.
    ///
    /// The bound counts keys, values and 64 bytes a record; the newest record is always kept.
    /// Append times are taken from `clock`; they never go back, although the clock may.
    #[must_use]
    pub fn new(
        partitions: PartitionId,
        epoch: Epoch,
        max_bytes_per_partition: usize,
        clock: impl Clock,
    ) -> Self {
        let partition = |_| Partition {
            ring: Mutex::default(),
            progress: Progress::new(0),
        };
        Self {
            topic: Arc::new(Topic {
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
            partition.progress.close();
        }
    }

    fn partition(&self, partition: PartitionId) -> Result<&Partition, LogError> {
        let found = self.topic.partitions.get(partition as usize);
        let found = found.ok_or(LogError::NoSuchPartition {
            partition,
            partitions: self.partitions(),
        })?;
        found.progress.check_open()?;
        Ok(found)
    }
}

impl Partition {
    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().expect("no holder of the ring panics")
    }
}

impl Ring {
    fn end(&self) -> Offset {
        self.first + self.records.len() as u64
    }

    fn push(&mut self, entries: Vec<NewRecord>, now_ns: i64) {
        let append_time_ns = self.last_append_ns.map_or(now_ns, |last| last.max(now_ns));
        self.last_append_ns = Some(append_time_ns);
        for NewRecord { key, value } in entries {
            let record = Record {
                offset: self.end(),
                append_time_ns,
                key,
                value,
            };
            self.size_bytes += size_bytes(&record);
            self.records.push_back(record);
        }
    }

    fn evict(&mut self, max_bytes: usize) {
        while self.size_bytes > max_bytes && self.records.len() > 1 {
            if let Some(oldest) = self.records.pop_front() {
                self.size_bytes -= size_bytes(&oldest);
                self.first += 1;
            }
        }
    }

    /// The records from `offset` on, which is within the bounds.
    fn read(&self, offset: Offset, max_bytes: usize) -> Vec<Record> {
        let skip = usize::try_from(offset - self.first).expect("a ring fits in memory");
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

fn size_bytes(record: &Record) -> usize {
    record.key.len() + record.value.len() + RECORD_OVERHEAD_BYTES
}

impl Log for MemoryLog {
    fn partitions(&self) -> PartitionId {
        PartitionId::try_from(self.topic.partitions.len()).expect("made from a PartitionId")
    }

    fn epoch(&self) -> Epoch {
        self.topic.epoch
    }

    async fn append(
        &self,
        partition: PartitionId,
        entries: Vec<NewRecord>,
    ) -> Result<Range<Offset>, LogError> {
        let partition = self.partition(partition)?;
        let mut ring = partition.ring();
        let offset = ring.end();
        if entries.is_empty() {
            return Ok(offset..offset);
        }
        ring.push(entries, self.topic.clock.now_ns());
        ring.evict(self.topic.max_bytes_per_partition);
        // Under the lock, so that two appends cannot announce their ends in the wrong order.
        partition.progress.advance(ring.end());
        Ok(offset..ring.end())
    }

    async fn fetch(
        &self,
        partition: PartitionId,
        offset: Offset,
        max_bytes: usize,
    ) -> Result<Batch, LogError> {
        let ring = self.partition(partition)?.ring();
        let (first, end) = (ring.first, ring.end());
        if !(first..=end).contains(&offset) {
            return Err(LogError::OutOfRange {
                partition,
                offset,
                first,
                end,
            });
        }
        let records = ring.read(offset, max_bytes);
        let next_offset = offset + records.len() as u64;
        Ok(Batch {
            records,
            next_offset,
        })
    }

    async fn wait(&self, partition: PartitionId, offset: Offset) -> Result<(), LogError> {
        self.partition(partition)?
            .progress
            .wait_beyond(offset)
            .await
    }

    async fn bounds(&self, partition: PartitionId) -> Result<Bounds, LogError> {
        let ring = self.partition(partition)?.ring();
        Ok(Bounds {
            first: ring.first,
            end: ring.end(),
        })
    }
    fn end_hint(&self, partition: PartitionId) -> Option<Offset> {
        Some(self.partition(partition).ok()?.ring().end())
    }
}
