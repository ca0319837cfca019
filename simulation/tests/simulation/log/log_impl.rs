//! The simulated topic as an `eventlog::Log`.

use std::future::{Future, poll_fn};
use std::ops::Range;
use std::task::Poll;

use clock::Clock;
use eventlog::{Log, LogError, NewRecord, OffsetBounds, RecordBatch};
use schemas::TradesTopicRecord;

use super::SimLog;
use crate::random::next_turn;

impl Log for SimLog {
    fn partition_count(&self) -> u32 {
        u32::try_from(self.state.lock().unwrap().partitions.len()).unwrap()
    }

    fn epoch(&self) -> u64 {
        self.opened_epoch
    }

    async fn check_epoch(&self) -> Result<(), LogError> {
        self.random.pause(2).await;
        if self.is_fault_due(40) {
            return Err(LogError::Busy { pending_bytes: 1 });
        }
        if self.current_epoch() == self.opened_epoch {
            return Ok(());
        }
        Err(LogError::Recreated {
            topic: "simulated".to_owned(),
        })
    }

    async fn append(
        &self,
        partition: u32,
        entries: Vec<NewRecord>,
    ) -> Result<Range<u64>, LogError> {
        self.random.pause(2).await;
        if self.is_fault_due(20) {
            return Err(LogError::Busy { pending_bytes: 1 });
        }
        if self.drops_left_out && entries.iter().all(is_left_out_record) {
            let end = self.end(partition);
            return Ok(end..end);
        }
        let count = entries.len() as u64;
        let Some(entries) = self.mutate_settings_copies(entries) else {
            return Ok(0..count);
        };
        let ticket = {
            let mut state = self.state.lock().unwrap();
            state.next_ticket += 1;
            let ticket = state.next_ticket;
            state.writers.insert(ticket, self.writer);
            state.partitions[partition as usize]
                .tail
                .push((ticket, entries));
            ticket
        };
        if self.acknowledges_early {
            let state = self.state.lock().unwrap();
            let partition = &state.partitions[partition as usize];
            let end = partition.records.len() as u64;
            return Ok(end..end + count);
        }
        let mut turns = 0;
        let first = loop {
            if let Some(first) = self.first_offset_of(partition, ticket) {
                break first;
            }
            if !self.is_pending(partition, ticket) {
                return Err(LogError::Storage {
                    path: "simulated".to_owned(),
                    reason: "the power was lost".to_owned(),
                });
            }
            next_turn().await;
            turns += 1;
            if turns > 3 {
                self.sync(partition);
            }
        };
        self.random.pause(2).await;
        if self.is_fault_due(20) {
            return Err(LogError::Storage {
                path: "simulated".to_owned(),
                reason: "the acknowledgement was lost".to_owned(),
            });
        }
        Ok(first..first + count)
    }

    async fn fetch(&self, partition: u32, offset: u64, _: usize) -> Result<RecordBatch, LogError> {
        self.random.pause(1).await;
        if self.is_fault_due(30) {
            return Err(LogError::Busy { pending_bytes: 1 });
        }
        let count = self.random.below(40) + 1;
        let mut state = self.state.lock().unwrap();
        let first = state.partitions[partition as usize].first;
        state.missed_reads += u64::from(offset < first);
        let offset = if self.skips_gaps {
            offset.max(first)
        } else {
            offset
        };
        let all = &state.partitions[partition as usize].records;
        let end = all.len() as u64;
        if offset > end || offset < first {
            return Err(LogError::OutOfRange {
                partition,
                offset,
                first,
                end,
            });
        }
        let range =
            usize::try_from(offset).unwrap()..usize::try_from(end.min(offset + count)).unwrap();
        let mut records = all[range].to_vec();
        if self.uses_wall_clock {
            for record in &mut records {
                record.append_time_ns = self.clock.now_ns();
            }
        }
        let next_offset = offset + records.len() as u64;
        Ok(RecordBatch {
            records,
            next_offset,
        })
    }

    fn wait_for_record(
        &self,
        partition: u32,
        offset: u64,
    ) -> impl Future<Output = Result<(), LogError>> + Send {
        // Kafka's client may report it here or when the records are fetched.
        let reports_early = self.random.one_in(2);
        poll_fn(move |_| {
            let (first, end) = self.retained_range(partition);
            if offset < first && reports_early && !self.skips_gaps {
                Poll::Ready(Err(LogError::OutOfRange {
                    partition,
                    offset,
                    first,
                    end,
                }))
            } else if end > offset {
                Poll::Ready(Ok(()))
            } else if self.current_epoch() != self.opened_epoch {
                // A reader that waits for long checks the epoch of the topic.
                Poll::Ready(Err(LogError::Recreated {
                    topic: "simulated".to_owned(),
                }))
            } else {
                Poll::Pending
            }
        })
    }

    async fn bounds(&self, partition: u32) -> Result<OffsetBounds, LogError> {
        let state = self.state.lock().unwrap();
        let held = &state.partitions[partition as usize];
        Ok(OffsetBounds {
            first: if self.skips_gaps { 0 } else { held.first },
            end: held.records.len() as u64,
        })
    }
}

fn is_left_out_record(record: &NewRecord) -> bool {
    let decoded = TradesTopicRecord::decode(&record.value);
    matches!(decoded, Ok(TradesTopicRecord::LeftOut(_)))
}
