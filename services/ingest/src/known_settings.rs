//! The settings of venues that a process knows.

use std::sync::{Arc, PoisonError, RwLock};

use hashbrown::HashMap;
use market::{DeclaredSettings, Venue};
use store::EpochEnds;

/// The settings of venues that every partition of the log holds, as far as this process knows them.
/// Clones share them.
///
/// Later settings replace earlier ones, in whatever order they become known: from a declaration of
/// this process, from an announcement in `bar-updates`, or from the store.
#[derive(Debug, Clone, Default)]
pub struct KnownSettings(Arc<RwLock<KnownVenues>>);

#[derive(Debug, Default)]
struct KnownVenues {
    by_name: HashMap<Box<str>, KnownVenue>,
    /// Where the earlier epochs of the partition that orders changes ended.
    epoch_ends: EpochEnds,
    /// The number of times that everything was forgotten.
    generation: u64,
}

#[derive(Debug, Clone, Copy)]
struct KnownVenue {
    /// The latest settings that have become known.
    declared: DeclaredSettings,
    /// Whether the store was read, or the log. An announcement alone may be of a worker that lags:
    /// later settings may be stored already.
    was_read: bool,
}

/// A moment before settings are read from the store or the log.
#[derive(Debug, Clone, Copy)]
pub struct BeforeRead {
    generation: u64,
}

impl KnownSettings {
    /// Returns the settings of a venue, or `None` if they have to be read.
    #[must_use]
    pub fn get(&self, venue: &str) -> Option<DeclaredSettings> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let found = known.by_name.get(venue).filter(|found| found.was_read);
        found.map(|found| found.declared)
    }

    /// Adds settings that the fold has announced, unless later ones are known. Those of an epoch that
    /// has ended do not count: the next one began with what is stored, which may be of a change that
    /// was not announced, or not of one that was.
    pub fn insert_announced(&self, venue: &Venue, declared: DeclaredSettings) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let epoch = declared.declared_at.epoch;
        if known.epoch_ends.iter().all(|end| end.epoch != epoch) {
            known.insert_if_later(venue, declared, false);
        }
    }

    /// Sets where the earlier epochs of the partition that orders changes ended, and forgets
    /// everything if that is news: a new epoch begins with the settings that are stored.
    pub fn set_epoch_ends(&self, ends: &EpochEnds) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.epoch_ends != *ends {
            known.epoch_ends = ends.clone();
            known.forget_all();
        }
    }

    /// Forgets everything, because announcements may have been missed: settings are read from the
    /// store again when they are needed.
    pub fn forget_all(&self) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.forget_all();
    }

    /// Returns the number of venues whose settings are known.
    pub(crate) fn count(&self) -> usize {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.by_name.len()
    }

    /// Returns the present moment, to be taken before settings are read.
    #[must_use]
    pub fn before_read(&self) -> BeforeRead {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        BeforeRead {
            generation: known.generation,
        }
    }

    /// Adds settings that were read from the store or the log since `before`, unless later ones are known. If
    /// everything was forgotten meanwhile they may be older than a missed announcement, and are not
    /// kept.
    pub fn insert_read(
        &self,
        venue: &Venue,
        declared: DeclaredSettings,
        before: BeforeRead,
    ) -> DeclaredSettings {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match known.generation == before.generation {
            true => known.insert_if_later(venue, declared, true),
            false => declared,
        }
    }
}

impl KnownVenues {
    fn forget_all(&mut self) {
        self.by_name.clear();
        self.generation += 1;
    }

    fn insert_if_later(
        &mut self,
        venue: &Venue,
        declared: DeclaredSettings,
        was_read: bool,
    ) -> DeclaredSettings {
        let found = KnownVenue { declared, was_read };
        let known = self.by_name.entry(venue.as_str().into()).or_insert(found);
        known.was_read |= was_read;
        if known.declared.declared_at < declared.declared_at {
            known.declared = declared;
        }
        known.declared
    }
}

#[cfg(test)]
mod tests {
    use market::{Position, VenueSettings};

    use super::*;

    fn declared(offset: u64) -> DeclaredSettings {
        DeclaredSettings {
            settings: VenueSettings {
                lateness_ns: i64::try_from(offset).unwrap(),
                ..VenueSettings::default()
            },
            declared_at: Position { epoch: 1, offset },
        }
    }

    #[test]
    fn the_later_settings_count_in_whatever_order_they_become_known() {
        let venue: Venue = "v".parse().unwrap();
        let known = KnownSettings::default();
        // Later ones may be stored than those that are announced first.
        known.insert_announced(&venue, declared(4));
        assert_eq!(known.get("v"), None);
        known.insert_read(&venue, declared(2), known.before_read());
        assert_eq!(known.get("v"), Some(declared(4)));
        for (offset, expected) in [(5, 5), (3, 5), (7, 7), (6, 7)] {
            known.insert_announced(&venue, declared(offset));
            assert_eq!(known.get("v"), Some(declared(expected)));
        }
    }

    #[test]
    fn settings_that_were_announced_in_an_epoch_that_ended_are_forgotten() {
        let venue: Venue = "v".parse().unwrap();
        let known = KnownSettings::default();
        known.insert_read(&venue, declared(5), known.before_read());
        let end = Position {
            epoch: 1,
            offset: 7,
        };
        let ends = EpochEnds::new(vec![end]);
        known.set_epoch_ends(&ends);
        assert_eq!(known.get("v"), None);
        // Another partition may have had a copy of a later change, with which the next epoch began.
        known.insert_read(&venue, declared(8), known.before_read());
        known.forget_all();
        // The announcements are read once more.
        known.insert_announced(&venue, declared(5));
        known.insert_announced(&venue, declared(9));
        assert_eq!(known.get("v"), None);
        let mut next = declared(0);
        next.declared_at.epoch = 2;
        known.insert_announced(&venue, next);
        known.set_epoch_ends(&ends);
        known.insert_read(&venue, declared(8), known.before_read());
        assert_eq!(known.get("v"), Some(next));
    }

    #[test]
    fn what_was_read_before_announcements_were_missed_is_not_kept() {
        let venue: Venue = "v".parse().unwrap();
        let known = KnownSettings::default();
        let before = known.before_read();
        known.forget_all();
        let found = known.insert_read(&venue, declared(1), before);
        assert_eq!((found, known.get("v")), (declared(1), None));
        known.insert_read(&venue, declared(2), known.before_read());
        assert_eq!(known.get("v"), Some(declared(2)));
    }
}
