//! The whole topic, oldest first, in bounded memory.

use std::collections::{BTreeSet, VecDeque};

use eventlog::{Bounds, Log, LogError, Offset, PartitionId, Record};
use market::Position;
use schemas::DeadLetter;

use super::found::Item;
use super::place::LetterPlace;

/// How much of the topic is in memory at once, all partitions together; and how much of one.
const READ_BYTES: usize = 32 << 20;
const LEAST_PAGE_BYTES: usize = 64 << 10;
const MOST_PAGE_BYTES: usize = 4 << 20;

/// So many letters of a partition are remembered by what they are of, those of the newest records.
const REMEMBERED: usize = 100_000;

/// Where each partition of the topic begins and ends now.
pub(super) async fn extent<L: Log>(log: &L) -> Result<Vec<Bounds>, LogError> {
    let mut extent = Vec::new();
    for partition in 0..log.partitions() {
        extent.push(log.bounds(partition).await?);
    }
    Ok(extent)
}

/// All records within an extent, in the order in which the topic took them.
///
/// A record that was written off twice, as happens where a process ended between the topic and
/// its own commit, comes once; twice where more than [`REMEMBERED`] others came between, for
/// there is room for as many only.
pub(super) struct Letters<'a, L> {
    log: &'a L,
    page_bytes: usize,
    pages: Vec<Page>,
}

/// What was read of a partition and is not taken yet.
struct Page {
    partition: PartitionId,
    records: VecDeque<Record>,
    /// Where the next page begins.
    next: Offset,
    end: Offset,
    seen: Seen,
}

impl<'a, L: Log> Letters<'a, L> {
    pub(super) fn within(log: &'a L, extent: &[Bounds]) -> Self {
        let share = READ_BYTES / extent.len().max(1);
        let page = |(partition, bounds): (PartitionId, &Bounds)| Page {
            partition,
            records: VecDeque::new(),
            next: bounds.first,
            end: bounds.end,
            seen: Seen::default(),
        };
        Self {
            log,
            page_bytes: share.clamp(LEAST_PAGE_BYTES, MOST_PAGE_BYTES),
            pages: (0..).zip(extent).map(page).collect(),
        }
    }

    /// The next one; none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Item>, LogError> {
        loop {
            for page in &mut self.pages {
                page.fill(self.log, self.page_bytes).await?;
            }
            let filled = self.pages.iter_mut().filter_map(|page| {
                let head = page.head()?;
                Some((head, page))
            });
            let Some((_, page)) = filled.min_by_key(|(head, _)| *head) else {
                return Ok(None);
            };
            let record = page.records.pop_front().expect("it has a head");
            match Item::read(page.partition, record) {
                Item::Letter(found) if !page.seen.insert(&found.letter) => {}
                item => return Ok(Some(item)),
            }
        }
    }
}

impl Page {
    /// When the topic took its first record, and where that is.
    fn head(&self) -> Option<(i64, LetterPlace)> {
        let record = self.records.front()?;
        let place = LetterPlace {
            partition: self.partition,
            offset: record.offset,
        };
        Some((record.append_time_ns, place))
    }

    /// Reads the next page, where all of this one is taken.
    async fn fill<L: Log>(&mut self, log: &L, page_bytes: usize) -> Result<(), LogError> {
        while self.records.is_empty() && self.next < self.end {
            let batch = match log.fetch(self.partition, self.next, page_bytes).await {
                // It was dropped for its age while we read.
                Err(LogError::OutOfRange { first, .. }) if first > self.next => {
                    self.next = first;
                    continue;
                }
                batch => batch?,
            };
            if batch.next_offset <= self.next {
                // There is no record before the end, which others' transactions may move.
                self.next = self.end;
                break;
            }
            self.next = batch.next_offset;
            let records = batch.records.into_iter();
            self.records = records.filter(|one| one.offset < self.end).collect();
        }
        Ok(())
    }
}

/// Which records there was a letter of.
#[derive(Default)]
struct Seen(BTreeSet<(PartitionId, Position)>);

impl Seen {
    /// Whether there was none of this record yet, as far as is remembered.
    fn insert(&mut self, letter: &DeadLetter) -> bool {
        let is_new = self.0.insert((letter.partition, letter.position));
        if self.0.len() > REMEMBERED {
            self.0.pop_first();
        }
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{GARBAGE, letter, log};

    async fn all<L: Log>(log: &L) -> Vec<String> {
        let extent = extent(log).await.unwrap();
        let mut letters = Letters::within(log, &extent);
        let mut all = Vec::new();
        while let Some(item) = letters.next().await.unwrap() {
            all.push(match item {
                Item::Letter(found) => format!("{}", found.letter.position.offset),
                Item::Other(other) => format!("not {}", other.place),
            });
        }
        all
    }

    #[tokio::test]
    async fn all_partitions_come_in_order_of_time_and_repeats_once() {
        let values = [
            letter(5, "v:A").encode(),
            letter(2, "v:B").encode(),
            GARBAGE.to_vec(),
            letter(9, "v:A").encode(),
            letter(5, "v:A").encode(),
            letter(3, "v:B").encode(),
        ];
        let log = log(1 << 20, &values).await;
        assert_eq!(all(&log).await, ["5", "2", "not 0/1", "9", "3"]);
    }

    #[tokio::test]
    async fn no_more_than_a_page_of_each_partition_is_in_memory() {
        const COUNT: usize = 40;
        let mut large = letter(0, "v:A");
        large.value = vec![7; 1 << 20].into();
        let values = (0..COUNT as u64).map(|offset| {
            large.position.offset = offset;
            large.encode()
        });
        let log = log(1 << 30, &values.collect::<Vec<_>>()).await;
        let extent = extent(&log).await.unwrap();
        let mut letters = Letters::within(&log, &extent);
        let (mut count, mut most_bytes) = (0, 0);
        while let Some(item) = letters.next().await.unwrap() {
            assert!(matches!(item, Item::Letter(_)));
            count += 1;
            let records = letters.pages.iter().flat_map(|page| &page.records);
            let bytes: usize = records.map(|record| record.value.len()).sum();
            most_bytes = most_bytes.max(bytes);
        }
        assert_eq!(count, COUNT);
        assert!(
            (1..2 * MOST_PAGE_BYTES).contains(&most_bytes),
            "{most_bytes}"
        );
    }

    #[tokio::test]
    async fn what_comes_later_is_not_of_it() {
        let log = log(
            1 << 20,
            &[letter(1, "v:A").encode(), letter(2, "v:A").encode()],
        )
        .await;
        let extent = extent(&log).await.unwrap();
        for partition in [0, 1] {
            let entry = eventlog::NewRecord {
                key: "v:A".into(),
                value: letter(7, "v:A").encode().into(),
            };
            log.append(partition, vec![entry]).await.unwrap();
        }
        let mut letters = Letters::within(&log, &extent);
        let mut count = 0;
        while letters.next().await.unwrap().is_some() {
            count += 1;
        }
        assert_eq!(count, 2);
    }

    #[test]
    fn only_so_many_are_remembered() {
        let mut seen = Seen::default();
        let count = REMEMBERED as u64 + 1;
        assert!((0..count).all(|offset| seen.insert(&letter(offset, "v:A"))));
        assert!((1..count).all(|offset| !seen.insert(&letter(offset, "v:A"))));
        assert!(seen.insert(&letter(0, "v:A")));
        assert_eq!(seen.0.len(), REMEMBERED);
    }
}
