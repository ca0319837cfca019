//! What the fold gives away: updates, letters, counts, and the step to store.

use market::Position;
use schemas::DeadLetter;
use store::{Transaction, VenueRow};

use super::{Core, Counts, Update};

/// How many commits a closed bar or a set of ids stays in memory unused.
pub(super) const KEPT_COMMITS: u64 = 16;
/// How often memory is swept, in commits.
const SWEEP_COMMITS: u64 = 4;
/// How many bars and sets of ids may stay in memory unused.
const KEPT_UNUSED: usize = 20_000;

impl Core {
    /// How many rows the next flush will hold, without those of venues and marks, which are few.
    #[must_use]
    pub fn unwritten(&self) -> usize {
        let symbols = self.to_write.iter();
        symbols
            .map(|place| self.symbols[*place as usize].unwritten())
            .sum()
    }

    /// The bars that changed since the last call, one update an instrument.
    pub fn take_updates(&mut self) -> Vec<Update> {
        let (epoch, generation) = (self.progress.epoch, self.generation);
        let mut updates = Vec::with_capacity(self.to_announce.len());
        for place in std::mem::take(&mut self.to_announce) {
            let symbol = &mut self.symbols[place as usize];
            symbol.announce_listed = false;
            symbol.settle(epoch, generation);
            let rows = symbol.take_announced();
            if !rows.is_empty() {
                updates.push(Update {
                    instrument: symbol.instrument.clone(),
                    rows,
                    newest_minute_ns: symbol.newest_minute_ns,
                });
            }
        }
        updates
    }

    /// The dead letters since the last call.
    pub fn take_dead_letters(&mut self) -> Vec<DeadLetter> {
        std::mem::take(&mut self.letters)
    }

    /// What was counted since the last call.
    pub fn take_counts(&mut self) -> Counts {
        std::mem::take(&mut self.counts)
    }

    /// All that changed since the last call, as one step from the state that was loaded or last
    /// flushed. `updates` is where in `bar-updates` the first update caused by a later record
    /// will lie.
    pub fn flush(&mut self, expected: Position, updates: Position) -> Transaction {
        self.progress.updates_position = updates;
        let (epoch, generation) = (self.progress.epoch, self.generation);
        let mut transaction = Transaction {
            expected,
            progress: self.progress,
            bars: Vec::new(),
            symbols: Vec::new(),
            venues: Vec::new(),
            id_sets: Vec::new(),
            excluded_ranges: std::mem::take(&mut self.rejected),
            dirty_minutes: Vec::new(),
            pending_amendments: Vec::new(),
        };
        for place in std::mem::take(&mut self.to_write) {
            let symbol = &mut self.symbols[place as usize];
            symbol.write_listed = false;
            symbol.settle(epoch, generation);
            symbol.take_written(&mut transaction);
        }
        for place in std::mem::take(&mut self.changed_venues) {
            let (venue, settings) = self.venues.get(place);
            transaction.venues.push(VenueRow { venue, settings });
        }
        transaction
    }

    /// The last flush was stored, so what it wrote can leave memory.
    pub fn committed(&mut self) {
        self.generation += 1;
        if !self.generation.is_multiple_of(SWEEP_COMMITS) {
            return;
        }
        if self.evict(self.generation - KEPT_COMMITS) > KEPT_UNUSED {
            self.evict(self.generation - 1);
        }
    }

    /// Drops what was not used since a commit, and answers how much is left.
    fn evict(&mut self, before: u64) -> usize {
        let (epoch, generation) = (self.progress.epoch, self.generation);
        let append_time_ns = self.progress.append_time_ns;
        let symbols = self.symbols.iter_mut();
        symbols
            .map(|symbol| symbol.evict(epoch, generation, before, append_time_ns))
            .sum()
    }
}
