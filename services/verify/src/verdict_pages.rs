//! Reads which ticks the fold excluded, in pages of offsets.

use std::collections::HashMap;

use market::Position;
use store::{BarReader, ExcludedRange, StoreError, Tick, TickVerdict, find_verdict};

/// The binary logarithm of the number of offsets in a page.
const PAGE_BITS: u32 = 20;
/// Above this number of ranges in memory all pages are dropped before others are loaded.
const MAX_CACHED_RANGES: usize = 1_000_000;

/// A partition, an epoch, and the offset of a page divided by its length.
type VerdictPageKey = (u32, u64, u64);

/// A cache of the excluded ranges of a snapshot. Symbols of one partition share its pages.
pub(crate) struct VerdictPageCache<'a, R> {
    bars: &'a R,
    pages: HashMap<VerdictPageKey, Vec<ExcludedRange>>,
    /// The number of ranges in all pages.
    range_count: usize,
}

impl<'a, R: BarReader> VerdictPageCache<'a, R> {
    /// Creates an empty cache.
    pub(crate) fn new(bars: &'a R) -> Self {
        Self {
            bars,
            pages: HashMap::new(),
            range_count: 0,
        }
    }

    /// Loads the pages that hold those of `ticks` that are before `first_unfolded`. Must be
    /// called before [`VerdictPageCache::verdict_at`].
    pub(crate) async fn load_pages(
        &mut self,
        partition: u32,
        first_unfolded: Position,
        ticks: &[Tick],
    ) -> Result<(), StoreError> {
        if self.range_count > MAX_CACHED_RANGES {
            self.pages.clear();
            self.range_count = 0;
        }
        let mut last_key = None;
        for position in ticks.iter().map(|tick| tick.position) {
            let key = page_key(partition, position);
            if last_key == Some(key) || position >= first_unfolded {
                continue;
            }
            last_key = Some(key);
            if !self.pages.contains_key(&key) {
                let first = key.2 << PAGE_BITS;
                let end = first.saturating_add(1 << PAGE_BITS);
                let page = self
                    .bars
                    .excluded_ranges(partition, key.1, first, end)
                    .await?;
                self.range_count += page.len();
                self.pages.insert(key, page);
            }
        }
        Ok(())
    }

    /// Returns why the fold excluded the tick at `position`; `None` if it did not.
    pub(crate) fn verdict_at(&self, partition: u32, position: Position) -> Option<TickVerdict> {
        let page = self.pages.get(&page_key(partition, position))?;
        find_verdict(position, page)
    }
}

const fn page_key(partition: u32, position: Position) -> VerdictPageKey {
    (partition, position.epoch, position.offset >> PAGE_BITS)
}
