//! How many venues and symbols there may be.

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use clock::Clock;
use hashbrown::HashSet;
use market::Instrument;
use store::{BarReader, StoreError, SymbolQuery};
use tokio::sync::Mutex;

/// How long a number of stored symbols counts as known.
const RECOUNT_INTERVAL: Duration = Duration::from_secs(1);
/// How long a list of all symbols counts as known.
const RELIST_INTERVAL: Duration = Duration::from_secs(10);
/// The number of symbols that are listed at once.
const PAGE_SYMBOLS: u32 = 10_000;

/// How many venues and symbols there may be. Each costs memory in every process, and rows that are
/// never deleted.
///
/// A producer refuses what would be one more. Each process counts what is stored and what itself has
/// accepted, so several that accept new names at the same moment may exceed a limit by as many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameLimits {
    /// The number of venues.
    pub venues: usize,
    /// The number of symbols of all venues.
    pub symbols: usize,
}

impl Default for NameLimits {
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
    /// The number of stored symbols, and when it was read, in monotonic nanoseconds.
    stored: Option<(usize, u64)>,
    /// The number of symbols that were accepted since.
    accepted_since: usize,
    /// When all symbols were listed, in monotonic nanoseconds.
    listed_ns: Option<u64>,
}

impl AcceptedSymbols {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            keys: RwLock::default(),
            counts: Mutex::default(),
        }
    }

    /// Accepts instruments as long as there may be more. Returns of each whether it is accepted;
    /// an instrument that exists always is.
    ///
    /// The store is read only if one of the instruments is new to the process. While it fails, only
    /// what the process itself has accepted counts: trades are taken while the store is away.
    pub(crate) async fn accept<C: Clock>(
        &self,
        instruments: &[&Instrument],
        reader: &impl BarReader,
        clock: &C,
    ) -> Vec<bool> {
        if self.count_unknown(instruments) == 0 {
            return vec![true; instruments.len()];
        }
        let mut counts = self.counts.lock().await;
        let unknown = self.count_unknown(instruments);
        if counts.stored.is_none() || !self.has_room_for(unknown, &counts) {
            log_error(counts.recount_if_due(reader, clock).await);
        }
        if !self.has_room_for(unknown, &counts) {
            log_error(self.list_if_due(&mut counts, reader, clock).await);
        }
        self.accept_known_and_room(instruments, &mut counts)
    }

    fn count_unknown(&self, instruments: &[&Instrument]) -> usize {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let unknown = instruments.iter().filter(|one| !keys.contains(one.key()));
        unknown.count()
    }

    fn has_room_for(&self, more: usize, counts: &SymbolCounts) -> bool {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        counts.estimate(keys.len()).saturating_add(more) <= self.limit
    }

    /// Reads which symbols are stored, page by page, unless that was done a short while ago.
    async fn list_if_due<C: Clock>(
        &self,
        counts: &mut SymbolCounts,
        reader: &impl BarReader,
        clock: &C,
    ) -> Result<(), StoreError> {
        let now_ns = clock.monotonic_ns();
        if is_recent(counts.listed_ns, RELIST_INTERVAL, now_ns) {
            return Ok(());
        }
        let mut after = None;
        loop {
            let query = SymbolQuery {
                venue: None,
                after,
                limit: PAGE_SYMBOLS,
            };
            let rows = reader.symbols(&query).await?;
            let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
            for row in &rows {
                keys.insert(row.instrument.key().into());
            }
            after = rows.last().map(|row| row.instrument.clone());
            if rows.len() < PAGE_SYMBOLS as usize {
                break;
            }
        }
        counts.listed_ns = Some(now_ns);
        Ok(())
    }

    fn accept_known_and_room(
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
        // Those that were accepted since may have been stored before.
        let stored = self.stored.map_or(0, |(stored, _)| stored);
        known.max(stored.saturating_add(self.accepted_since))
    }

    async fn recount_if_due<C: Clock>(
        &mut self,
        reader: &impl BarReader,
        clock: &C,
    ) -> Result<(), StoreError> {
        let now_ns = clock.monotonic_ns();
        let counted_ns = self.stored.map(|(_, counted_ns)| counted_ns);
        if !is_recent(counted_ns, RECOUNT_INTERVAL, now_ns) {
            self.stored = Some((reader.symbol_count().await?, now_ns));
            self.accepted_since = 0;
        }
        Ok(())
    }
}

fn is_recent(then_ns: Option<u64>, interval: Duration, now_ns: u64) -> bool {
    then_ns.is_some_and(|then_ns| u128::from(now_ns.saturating_sub(then_ns)) < interval.as_nanos())
}

fn log_error(result: Result<(), StoreError>) {
    if let Err(error) = result {
        tracing::debug!(%error, "the stored symbols are not counted");
    }
}
