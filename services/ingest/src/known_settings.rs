//! The settings of venues that a process knows.

use std::sync::{Arc, PoisonError, RwLock};

use hashbrown::HashMap;
use market::{DeclaredSettings, Venue};
use store::EpochEnds;

/// The settings of venues that every partition of the log holds, as far as this process knows them.
/// Clones share them.
///
/// They become known by a declaration of this process, by an announcement in `bar-updates`, or from
/// the store. Those with the later position count, even if they become known first.
#[derive(Debug, Clone, Default)]
pub struct KnownSettings(Arc<RwLock<KnownVenues>>);

#[derive(Debug, Default)]
struct KnownVenues {
    by_name: HashMap<Box<str>, KnownVenue>,
    /// Where the earlier epochs of the partition that orders changes ended.
    epoch_ends: EpochEnds,
    /// The number of times that reads were required.
    generation: u64,
}

#[derive(Debug, Clone, Copy)]
struct KnownVenue {
    /// The latest settings that have become known.
    declared: DeclaredSettings,
    /// Whether the store was read, or the log. An announcement alone may be of a worker that lags:
    /// later settings may be stored already.
    was_read: bool,
    /// Whether every partition has acknowledged settings of this venue.
    is_everywhere: bool,
}

/// A moment before settings are read from the store or the log.
#[derive(Debug, Clone, Copy)]
pub struct MomentBeforeRead {
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

    /// Returns the settings of a venue if every partition has acknowledged settings of it, of which
    /// those of other processes may be missing.
    pub(crate) fn get_if_everywhere(&self, venue: &Venue) -> Option<DeclaredSettings> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let found = known.by_name.get(venue.as_str());
        let found = found.filter(|found| found.is_everywhere);
        found.map(|found| found.declared)
    }

    /// Adds settings that the fold has announced, unless later ones are known. Those of an epoch
    /// that has ended do not count: the next one began with what is stored, which may be of a
    /// change that was not announced, or not of one that was.
    pub fn insert_announced(&self, venue: &Venue, declared: DeclaredSettings) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if !known.has_ended(declared.declared_at.epoch) {
            let is_everywhere = false;
            known.insert_if_later(
                venue,
                KnownVenue {
                    declared,
                    was_read: false,
                    is_everywhere,
                },
            );
        }
    }

    /// Sets where the earlier epochs of the partition that orders changes ended. If that is news,
    /// everything has to be read again, and changes of these epochs are forgotten: a new epoch
    /// begins with the settings that are stored.
    pub fn set_epoch_ends(&self, ends: &EpochEnds) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.epoch_ends != *ends {
            known.epoch_ends = ends.clone();
            let has_ended = |epoch| ends.iter().any(|end| end.epoch == epoch);
            let by_name = &mut known.by_name;
            by_name.retain(|_, known| !has_ended(known.declared.declared_at.epoch));
            known.require_reads();
        }
    }

    /// Requires that settings are read from the store again when they are needed, because
    /// announcements may have been missed.
    pub fn require_reads(&self) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.require_reads();
    }

    /// Returns the number of venues whose settings are known.
    pub(crate) fn count(&self) -> usize {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.by_name.len()
    }

    /// Returns the present moment, to be taken before settings are read.
    #[must_use]
    pub fn before_read(&self) -> MomentBeforeRead {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        MomentBeforeRead {
            generation: known.generation,
        }
    }

    /// Adds settings that every partition has, and that were read from the store or the log since
    /// `before`, unless later ones are known. If reads were required meanwhile they may be older
    /// than a missed announcement, and are read again when they are needed.
    pub fn insert_read(
        &self,
        venue: &Venue,
        declared: DeclaredSettings,
        before: MomentBeforeRead,
    ) -> DeclaredSettings {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let was_read = known.generation == before.generation;
        if !was_read && known.has_ended(declared.declared_at.epoch) {
            return declared;
        }
        let found = KnownVenue {
            declared,
            was_read,
            is_everywhere: true,
        };
        known.insert_if_later(venue, found)
    }
}

impl KnownVenues {
    /// What was announced stays known: it may not be stored yet when the store is read next.
    fn require_reads(&mut self) {
        self.by_name
            .values_mut()
            .for_each(|known| known.was_read = false);
        self.generation += 1;
    }

    fn has_ended(&self, epoch: u64) -> bool {
        self.epoch_ends.iter().any(|end| end.epoch == epoch)
    }

    fn insert_if_later(&mut self, venue: &Venue, found: KnownVenue) -> DeclaredSettings {
        let known = self.by_name.entry(venue.as_str().into()).or_insert(found);
        known.was_read |= found.was_read;
        known.is_everywhere |= found.is_everywhere;
        if known.declared.declared_at < found.declared.declared_at {
            known.declared = found.declared;
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
        known.require_reads();
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
    fn an_announcement_that_is_not_stored_yet_counts_after_reads_were_required() {
        let venue: Venue = "v".parse().unwrap();
        let known = KnownSettings::default();
        known.insert_announced(&venue, declared(7));
        known.require_reads();
        assert_eq!(known.get("v"), None);
        known.insert_read(&venue, declared(5), known.before_read());
        assert_eq!(known.get("v"), Some(declared(7)));
    }

    #[test]
    fn what_was_read_before_announcements_were_missed_is_read_again() {
        let venue: Venue = "v".parse().unwrap();
        let known = KnownSettings::default();
        let before = known.before_read();
        known.require_reads();
        let found = known.insert_read(&venue, declared(1), before);
        assert_eq!((found, known.get("v")), (declared(1), None));
        // All partitions have them, whatever was missed.
        assert_eq!(known.get_if_everywhere(&venue), Some(declared(1)));
        known.insert_read(&venue, declared(2), known.before_read());
        assert_eq!(known.get("v"), Some(declared(2)));
    }

    #[test]
    fn only_what_was_read_is_everywhere_and_not_what_was_read_of_an_ended_epoch() {
        let venue: Venue = "v".parse().unwrap();
        let known = KnownSettings::default();
        known.insert_announced(&venue, declared(3));
        assert_eq!(known.get_if_everywhere(&venue), None);
        let before = known.before_read();
        let end = Position {
            epoch: 1,
            offset: 7,
        };
        known.set_epoch_ends(&EpochEnds::new(vec![end]));
        known.insert_read(&venue, declared(8), before);
        assert_eq!(known.get_if_everywhere(&venue), None);
    }
}
