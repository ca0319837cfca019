//! Reads the whole topic `dead-letters`, oldest records first, in bounded memory.

use std::collections::{BTreeSet, VecDeque};

use eventlog::{Log, LogError, Offset, OffsetBounds, PartitionId, Record};
use market::Position;
use schemas::DeadLetter;

use crate::location::DeadLetterLocation;
use crate::topic_record::DeadLettersTopicRecord;

/// The size of the pages of all partitions together.
const TOTAL_PAGE_BYTES: usize = 32 << 20;
/// The bounds of the size of one partition's page.
const MIN_PAGE_BYTES: usize = 64 << 10;
const MAX_PAGE_BYTES: usize = 4 << 20;

/// The number of rejected records that are remembered for each partition, the newest ones.
const MAX_REMEMBERED_SOURCES: usize = 100_000;

/// Returns the current bounds of each partition of the topic.
pub(crate) async fn read_bounds<L: Log>(log: &L) -> Result<Vec<OffsetBounds>, LogError> {
    let mut bounds = Vec::new();
    for partition in 0..log.partition_count() {
        bounds.push(log.bounds(partition).await?);
    }
    Ok(bounds)
}

/// Reads all records within bounds, in the order of their append times.
///
/// A record may be dead-lettered twice, if a process ended between its append to the topic and its
/// commit. The second dead letter is skipped, unless there are more than
/// [`MAX_REMEMBERED_SOURCES`] others between the two.
pub(crate) struct DeadLetterReader<'a, L> {
    log: &'a L,
    page_bytes: usize,
    pages: Vec<PartitionPageReader>,
}

/// Records of a partition that were read and not returned yet.
struct PartitionPageReader {
    partition: PartitionId,
    records: VecDeque<Record>,
    /// Where the next page begins.
    next_offset: Offset,
    end: Offset,
    sources: RememberedRejections,
}

impl<'a, L: Log> DeadLetterReader<'a, L> {
    /// Creates a reader of the records within these bounds of each partition.
    pub(crate) fn new(log: &'a L, bounds: &[OffsetBounds]) -> Self {
        let share = TOTAL_PAGE_BYTES / bounds.len().max(1);
        let page = |(partition, bounds): (PartitionId, &OffsetBounds)| PartitionPageReader {
            partition,
            records: VecDeque::new(),
            next_offset: bounds.first,
            end: bounds.end,
            sources: RememberedRejections::default(),
        };
        Self {
            log,
            page_bytes: share.clamp(MIN_PAGE_BYTES, MAX_PAGE_BYTES),
            pages: (0..).zip(bounds).map(page).collect(),
        }
    }

    /// Returns the next record; `None` at the end.
    pub(crate) async fn next_record(&mut self) -> Result<Option<DeadLettersTopicRecord>, LogError> {
        loop {
            for page in &mut self.pages {
                page.read_next_page_if_empty(self.log, self.page_bytes)
                    .await?;
            }
            let filled = self.pages.iter_mut().filter_map(|page| {
                let first = page.first_append_time_and_location()?;
                Some((first, page))
            });
            let Some((_, page)) = filled.min_by_key(|(first, _)| *first) else {
                return Ok(None);
            };
            let record = page.records.pop_front().expect("it has a first record");
            match DeadLettersTopicRecord::decode(page.partition, record) {
                DeadLettersTopicRecord::DeadLetter(stored)
                    if !page.sources.insert(&stored.letter) => {}
                record => return Ok(Some(record)),
            }
        }
    }
}

impl PartitionPageReader {
    /// Returns the append time and the location of the first record that was not returned yet.
    fn first_append_time_and_location(&self) -> Option<(i64, DeadLetterLocation)> {
        let record = self.records.front()?;
        let location = DeadLetterLocation {
            partition: self.partition,
            offset: record.offset,
        };
        Some((record.append_time_ns, location))
    }

    /// Reads the next page, if all records of this one were returned.
    async fn read_next_page_if_empty<L: Log>(
        &mut self,
        log: &L,
        page_bytes: usize,
    ) -> Result<(), LogError> {
        while self.records.is_empty() && self.next_offset < self.end {
            let batch = match log
                .fetch(self.partition, self.next_offset, page_bytes)
                .await
            {
                // The records were deleted because of their age in the meantime.
                Err(LogError::OutOfRange { first, .. }) if first > self.next_offset => {
                    self.next_offset = first;
                    continue;
                }
                batch => batch?,
            };
            if batch.next_offset <= self.next_offset {
                // Only markers of transactions are left before the end.
                self.next_offset = self.end;
                break;
            }
            self.next_offset = batch.next_offset;
            let records = batch.records.into_iter();
            self.records = records.filter(|record| record.offset < self.end).collect();
        }
        Ok(())
    }
}

/// The rejected records whose dead letters were returned: partition and position in `trades`.
#[derive(Default)]
struct RememberedRejections(BTreeSet<(PartitionId, Position)>);

impl RememberedRejections {
    /// Remembers the rejected record of a dead letter. Returns whether it was not remembered
    /// before.
    fn insert(&mut self, letter: &DeadLetter) -> bool {
        let is_new = self.0.insert((letter.partition, letter.position));
        if self.0.len() > MAX_REMEMBERED_SOURCES {
            self.0.pop_first();
        }
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_topic::{GARBAGE, dead_letter, dead_letter_topic_log};

    async fn read_all<L: Log>(log: &L) -> Vec<String> {
        let bounds = read_bounds(log).await.unwrap();
        let mut reader = DeadLetterReader::new(log, &bounds);
        let mut all = Vec::new();
        while let Some(record) = reader.next_record().await.unwrap() {
            all.push(match record {
                DeadLettersTopicRecord::DeadLetter(stored) => {
                    format!("{}", stored.letter.position.offset)
                }
                DeadLettersTopicRecord::Foreign(record) => format!("not {}", record.location),
            });
        }
        all
    }

    #[tokio::test]
    async fn records_of_all_partitions_come_in_order_of_time_and_repeats_once() {
        let values = [
            dead_letter(5, "v:A").encode(),
            dead_letter(2, "v:B").encode(),
            GARBAGE.to_vec(),
            dead_letter(9, "v:A").encode(),
            dead_letter(5, "v:A").encode(),
            dead_letter(3, "v:B").encode(),
        ];
        let log = dead_letter_topic_log(1 << 20, &values).await;
        assert_eq!(read_all(&log).await, ["5", "2", "not 0/1", "9", "3"]);
    }

    #[tokio::test]
    async fn no_more_than_a_page_of_each_partition_is_in_memory() {
        const COUNT: usize = 40;
        let mut large = dead_letter(0, "v:A");
        large.value = vec![7; 1 << 20].into();
        let values = (0..COUNT as u64).map(|offset| {
            large.position.offset = offset;
            large.encode()
        });
        let log = dead_letter_topic_log(1 << 30, &values.collect::<Vec<_>>()).await;
        let bounds = read_bounds(&log).await.unwrap();
        let mut reader = DeadLetterReader::new(&log, &bounds);
        let (mut count, mut largest_bytes) = (0, 0);
        while let Some(record) = reader.next_record().await.unwrap() {
            assert!(matches!(record, DeadLettersTopicRecord::DeadLetter(_)));
            count += 1;
            let records = reader.pages.iter().flat_map(|page| &page.records);
            let bytes: usize = records.map(|record| record.value.len()).sum();
            largest_bytes = largest_bytes.max(bytes);
        }
        assert_eq!(count, COUNT);
        assert!(
            (1..2 * MAX_PAGE_BYTES).contains(&largest_bytes),
            "{largest_bytes}"
        );
    }

    #[tokio::test]
    async fn records_appended_later_are_not_read() {
        let log = dead_letter_topic_log(
            1 << 20,
            &[
                dead_letter(1, "v:A").encode(),
                dead_letter(2, "v:A").encode(),
            ],
        )
        .await;
        let bounds = read_bounds(&log).await.unwrap();
        for partition in [0, 1] {
            let record = eventlog::NewRecord {
                key: "v:A".into(),
                value: dead_letter(7, "v:A").encode().into(),
            };
            log.append(partition, vec![record]).await.unwrap();
        }
        let mut reader = DeadLetterReader::new(&log, &bounds);
        let mut count = 0;
        while reader.next_record().await.unwrap().is_some() {
            count += 1;
        }
        assert_eq!(count, 2);
    }

    #[test]
    fn the_number_of_remembered_sources_is_limited() {
        let mut sources = RememberedRejections::default();
        let count = MAX_REMEMBERED_SOURCES as u64 + 1;
        assert!((0..count).all(|offset| sources.insert(&dead_letter(offset, "v:A"))));
        assert!((1..count).all(|offset| !sources.insert(&dead_letter(offset, "v:A"))));
        assert!(sources.insert(&dead_letter(0, "v:A")));
        assert_eq!(sources.0.len(), MAX_REMEMBERED_SOURCES);
    }
}
