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
    by_name: HashMap<Box<str>, DeclaredSettings>,
    /// Where the earlier epochs of the partition that orders changes ended.
    epoch_ends: EpochEnds,
    /// The number of times that everything was forgotten.
    generation: u64,
}

/// A moment before settings are read from the store or the log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BeforeRead {
    generation: u64,
}

impl KnownSettings {
    /// Returns the settings of a venue.
    #[must_use]
    pub fn get(&self, venue: &str) -> Option<DeclaredSettings> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.by_name.get(venue).copied()
    }

    /// Adds settings that the fold has announced, unless later ones are known, or the change was
    /// announced and then never stored, because its epoch ended before.
    pub fn insert_announced(&self, venue: &Venue, declared: DeclaredSettings) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if !known.epoch_ends.is_beyond(declared.declared_at) {
            known.insert_if_later(venue, declared);
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

    pub(crate) fn before_read(&self) -> BeforeRead {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        BeforeRead {
            generation: known.generation,
        }
    }

    /// Adds settings that were read from the store or the log since `before`, unless later ones are known. If
    /// everything was forgotten meanwhile they may be older than a missed announcement, and are not
    /// kept.
    pub(crate) fn insert_read(
        &self,
        venue: &Venue,
        declared: DeclaredSettings,
        before: BeforeRead,
    ) -> DeclaredSettings {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match known.generation == before.generation {
            true => known.insert_if_later(venue, declared),
            false => declared,
        }
    }
}

impl KnownVenues {
    fn forget_all(&mut self) {
        self.by_name.clear();
        self.generation += 1;
    }

    fn insert_if_later(&mut self, venue: &Venue, declared: DeclaredSettings) -> DeclaredSettings {
        let known = self
            .by_name
            .entry(venue.as_str().into())
            .or_insert(declared);
        if known.declared_at < declared.declared_at {
            *known = declared;
        }
        *known
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
        assert_eq!(known.get("v"), None);
        for (offset, expected) in [(5, 5), (3, 5), (7, 7), (6, 7)] {
            known.insert_announced(&venue, declared(offset));
            assert_eq!(known.get("v"), Some(declared(expected)));
        }
    }

    #[test]
    fn settings_that_were_announced_beyond_the_end_of_their_epoch_are_forgotten() {
        let venue: Venue = "v".parse().unwrap();
        let known = KnownSettings::default();
        known.insert_announced(&venue, declared(5));
        known.insert_announced(&venue, declared(7));
        let end = Position {
            epoch: 1,
            offset: 7,
        };
        let ends = EpochEnds::new(vec![end]);
        known.set_epoch_ends(&ends);
        assert_eq!(known.get("v"), None);
        // The announcements are read once more.
        known.insert_announced(&venue, declared(5));
        known.insert_announced(&venue, declared(7));
        assert_eq!(known.get("v"), Some(declared(5)));
        // Another partition may have had a copy of the change, with which the next epoch began.
        known.insert_read(&venue, declared(7), known.before_read());
        known.set_epoch_ends(&ends);
        assert_eq!(known.get("v"), Some(declared(7)));
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
