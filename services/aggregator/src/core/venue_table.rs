//! The settings of venues, as the log has declared them so far.

use std::collections::BTreeSet;

use market::{Venue, VenueSettings};
use store::VenueRow;

/// Venues by their indexes, which never change.
///
/// The id scheme and scope of a venue's first settings stay in force for ever.
#[derive(Debug, Default)]
pub(crate) struct VenueTable {
    venues: Vec<(Venue, Option<VenueSettings>)>,
    /// Indexes of the venues whose settings are not stored yet.
    unstored: BTreeSet<usize>,
}

impl VenueTable {
    /// Returns the index of a venue, which is added if it is new.
    pub(crate) fn index_or_add(&mut self, name: &str) -> usize {
        let has_name = |(venue, _): &(Venue, _)| venue.as_str() == name;
        if let Some(index) = self.venues.iter().position(has_name) {
            return index;
        }
        let venue = name.parse().expect("a name that was checked before");
        self.venues.push((venue, None));
        self.venues.len() - 1
    }

    /// Returns the index of a venue that was declared.
    pub(crate) fn declared_index(&self, name: &str) -> Option<usize> {
        let is_declared =
            |(venue, settings): &(Venue, Option<_>)| venue.as_str() == name && settings.is_some();
        self.venues.iter().position(is_declared)
    }

    /// Puts stored settings in force.
    pub(crate) fn restore_settings(&mut self, index: usize, settings: VenueSettings) {
        let current = &mut self.venues[index].1;
        let settings = current.map_or(settings, |first| first.updated_except_id_rules(&settings));
        *current = Some(settings);
    }

    /// Puts new settings in force, which are to be stored.
    pub(crate) fn declare_settings(&mut self, index: usize, settings: VenueSettings) {
        self.restore_settings(index, settings);
        self.unstored.insert(index);
    }

    /// Returns the settings of a declared venue.
    #[inline]
    pub(crate) fn settings(&self, index: usize) -> &VenueSettings {
        let settings = self.venues[index].1.as_ref();
        settings.expect("symbols are added for declared venues only")
    }

    /// Takes the rows of the venues whose settings were declared since the last call, each venue
    /// once.
    pub(crate) fn take_unstored(&mut self) -> Vec<VenueRow> {
        let unstored = std::mem::take(&mut self.unstored);
        let row = |index: usize| VenueRow {
            venue: self.venues[index].0.clone(),
            settings: *self.settings(index),
        };
        unstored.into_iter().map(row).collect()
    }
}
