//! How many venues and symbols there may be.

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use clock::{Clock, duration_ns};
use hashbrown::HashSet;
use market::Instrument;
use store::{BarReader, StoreError, SymbolQuery};
use tokio::sync::Mutex;

/// The time between two lists of all symbols, which is also how long a new symbol may be refused
/// although another process has accepted it.
const LIST_INTERVAL: Duration = Duration::from_secs(10);
/// The time after which a read that failed is tried again.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// The number of symbols of one call that are looked up one by one.
const MAX_LOOKUPS: usize = 16;
/// The number of symbols that are listed at once.
const PAGE_SYMBOLS: u32 = 10_000;

/// How many venues and symbols there may be. Each costs memory in every process, and rows that are
/// never deleted.
///
/// A producer refuses what would be one more. Each process counts what is stored and what itself
/// has accepted, so several that accept new names at the same moment may exceed a limit by as many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VenueAndSymbolLimits {
    /// The number of venues.
    pub venues: usize,
    /// The number of symbols of all venues.
    pub symbols: usize,
}

impl Default for VenueAndSymbolLimits {
    fn default() -> Self {
        Self {
            venues: 1_000,
            symbols: 100_000,
        }
    }
}

/// The symbols that a process has accepted, and how many more there may be.
#[derive(Debug)]
pub(crate) struct AcceptedSymbols {
    limit: usize,
    /// The keys of the symbols that were accepted or are stored.
    keys: RwLock<HashSet<Box<str>>>,
    counts: Mutex<SymbolCounts>,
}

#[derive(Debug, Default)]
struct SymbolCounts {
    /// The number of symbols that were stored when they were last counted or listed.
    stored: Option<usize>,
    /// The number of symbols that were accepted since.
    accepted_since: usize,
    /// When the symbols may be counted and listed again, in monotonic nanoseconds.
    next_count_ns: u64,
    next_list_ns: u64,
}

impl AcceptedSymbols {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            keys: RwLock::default(),
            counts: Mutex::default(),
        }
    }

    /// Returns whether an instrument is known to exist.
    pub(crate) fn is_known(&self, instrument: &Instrument) -> bool {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.contains(instrument.key())
    }

    /// Accepts instruments as long as there may be more. Returns of each whether it is accepted;
    /// one that exists always is.
    ///
    /// The store is read only if one of the instruments is new to the process. While it fails,
    /// symbols are accepted as long as those that are known leave room.
    ///
    /// # Errors
    /// The error of the store if there is no room, and it is unknown whether an instrument exists.
    pub(crate) async fn accept<C: Clock>(
        &self,
        instruments: &[&Instrument],
        reader: &impl BarReader,
        clock: &C,
    ) -> Result<Vec<bool>, StoreError> {
        if self.unknown_of(instruments).is_empty() {
            return Ok(vec![true; instruments.len()]);
        }
        let mut counts = self.counts.lock().await;
        counts.count_stored_unless_counted(reader, clock).await;
        let mut found = Ok(());
        if !self.has_room_for(self.unknown_of(instruments).len(), &counts) {
            found = self
                .insert_if_stored(instruments, &mut counts, reader, clock)
                .await;
        }
        let accepted = self.accept_known_or_with_room(instruments, &mut counts);
        match accepted.contains(&false) {
            true => found.map(|()| accepted),
            false => Ok(accepted),
        }
    }

    fn unknown_of<'a>(&self, instruments: &[&'a Instrument]) -> Vec<&'a Instrument> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let all = instruments.iter().copied();
        all.filter(|one| !keys.contains(one.key())).collect()
    }

    fn has_room_for(&self, more: usize, counts: &SymbolCounts) -> bool {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        counts.estimate(keys.len()).saturating_add(more) <= self.limit
    }

    /// Inserts the instruments that are stored: from a list of all symbols, unless that was read a
    /// short while ago, and one by one if few are left.
    async fn insert_if_stored<C: Clock>(
        &self,
        instruments: &[&Instrument],
        counts: &mut SymbolCounts,
        reader: &impl BarReader,
        clock: &C,
    ) -> Result<(), StoreError> {
        let now_ns = clock.monotonic_ns();
        if now_ns >= counts.next_list_ns {
            counts.next_list_ns = now_ns + duration_ns(RETRY_INTERVAL);
            self.insert_all_stored(reader).await?;
            counts.next_list_ns = now_ns + duration_ns(LIST_INTERVAL);
            let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
            counts.stored = Some(keys.len());
            counts.accepted_since = 0;
        }
        let unknown = self.unknown_of(instruments);
        if unknown.len() > MAX_LOOKUPS {
            return Ok(());
        }
        for instrument in unknown {
            if reader.symbol(instrument).await?.is_some() {
                self.insert(instrument);
            }
        }
        Ok(())
    }

    /// Inserts all symbols that are stored, page by page.
    async fn insert_all_stored(&self, reader: &impl BarReader) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let query = SymbolQuery {
                venue: None,
                after,
                limit: PAGE_SYMBOLS,
            };
            let rows = reader.symbols(&query).await?;
            for row in &rows {
                self.insert(&row.instrument);
            }
            if rows.len() < PAGE_SYMBOLS as usize {
                return Ok(());
            }
            after = rows.last().map(|row| row.instrument.clone());
        }
    }

    fn insert(&self, instrument: &Instrument) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        keys.insert(instrument.key().into());
    }

    fn accept_known_or_with_room(
        &self,
        instruments: &[&Instrument],
        counts: &mut SymbolCounts,
    ) -> Vec<bool> {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let accept = |instrument: &&Instrument| {
            if keys.contains(instrument.key()) {
                return true;
            }
            let has_room = counts.estimate(keys.len()) < self.limit;
            if has_room {
                keys.insert(instrument.key().into());
                counts.accepted_since += 1;
            }
            has_room
        };
        instruments.iter().map(accept).collect()
    }
}

impl SymbolCounts {
    /// Returns the greatest number of symbols that there can be, where `known` are known to the
    /// process, as far as the store could be read.
    fn estimate(&self, known: usize) -> usize {
        // Those that were accepted since may have been stored before, or by another process.
        let stored = self.stored.unwrap_or_default();
        known.max(stored.saturating_add(self.accepted_since))
    }

    /// Counts the stored symbols, unless they were counted or that has failed a short while ago.
    async fn count_stored_unless_counted<C: Clock>(&mut self, reader: &impl BarReader, clock: &C) {
        let now_ns = clock.monotonic_ns();
        if self.stored.is_some() || now_ns < self.next_count_ns {
            return;
        }
        self.next_count_ns = now_ns + duration_ns(RETRY_INTERVAL);
        match reader.symbol_count().await {
            Ok(count) => self.stored = Some(count),
            Err(error) => tracing::warn!(%error, "the stored symbols cannot be counted"),
        }
    }
}
