//! What the fold has left out, by pages of offsets.

use std::collections::HashMap;

use market::Position;
use store::{BarReader, ExcludedRange, StoreError, Tick, Verdict, find_verdict};

/// How many offsets a page spans, as a power of two.
const PAGE_BITS: u32 = 20;
/// How many ranges stay in memory, beyond those that some ticks need.
const MOST_RANGES: usize = 1_000_000;

/// Partition, epoch, page.
type PageKey = (u32, u64, u64);

/// The rejected ranges of a cut. Symbols of one partition share its pages.
pub(super) struct Verdicts<'a, R> {
    bars: &'a R,
    pages: HashMap<PageKey, Vec<ExcludedRange>>,
    ranges: usize,
}

impl<'a, R: BarReader> Verdicts<'a, R> {
    pub(super) fn new(bars: &'a R) -> Self {
        Self {
            bars,
            pages: HashMap::new(),
            ranges: 0,
        }
    }

    /// Reads what some ticks of a partition below `next` need, ahead of [`Verdicts::of`].
    pub(super) async fn load(
        &mut self,
        partition: u32,
        next: Position,
        ticks: &[Tick],
    ) -> Result<(), StoreError> {
        if self.ranges > MOST_RANGES {
            self.pages.clear();
            self.ranges = 0;
        }
        let mut last = None;
        for position in ticks.iter().map(|tick| tick.position) {
            let key = page_of(partition, position);
            if last == Some(key) || position >= next {
                continue;
            }
            last = Some(key);
            if !self.pages.contains_key(&key) {
                let first = key.2 << PAGE_BITS;
                let end = first.saturating_add(1 << PAGE_BITS);
                let page = self
                    .bars
                    .excluded_ranges(partition, key.1, first, end)
                    .await?;
                self.ranges += page.len();
                self.pages.insert(key, page);
            }
        }
        Ok(())
    }

    /// What the fold has decided of a tick of a partition, where it has left it out.
    pub(super) fn of(&self, partition: u32, position: Position) -> Option<Verdict> {
        let page = self.pages.get(&page_of(partition, position))?;
        find_verdict(position, page)
    }
}

const fn page_of(partition: u32, position: Position) -> PageKey {
    (partition, position.epoch, position.offset >> PAGE_BITS)
}
