//! The settings of venues, as the log has declared them so far.

use std::collections::BTreeSet;

use market::{
    DeclaredSettings, FixedSettingsConflict, Position, SettingsChange, Venue, VenueSettings,
};
use store::VenueRow;

/// Venues by their indexes, which never change.
///
/// The id scheme, the scope and the tie order of a venue's first settings stay in force for ever.
#[derive(Debug, Default)]
pub(crate) struct VenueTable {
    venues: Vec<(Venue, Option<DeclaredSettings>)>,
    /// Indexes of the venues whose settings are not stored yet.
    unstored: BTreeSet<usize>,
    /// Settings that have to be copied to the other partitions and announced. Only the partition
    /// that orders settings has any.
    to_copy: Vec<(Venue, DeclaredSettings)>,
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
            |(venue, declared): &(Venue, Option<_>)| venue.as_str() == name && declared.is_some();
        self.venues.iter().position(is_declared)
    }

    /// Returns the settings of a venue after a change.
    ///
    /// # Errors
    /// [`FixedSettingsConflict`] if the change names others than its first settings have fixed.
    pub(crate) fn settings_after(
        &self,
        venue: &Venue,
        change: &SettingsChange,
    ) -> Result<VenueSettings, FixedSettingsConflict> {
        let declared = self.declared(venue);
        change.apply_to(declared.map(|declared| &declared.settings))
    }

    /// Returns whether the settings in force of a venue are of an earlier change than the one at a
    /// position, or of none.
    pub(crate) fn is_later_change(&self, venue: &Venue, declared_at: Position) -> bool {
        let declared = self.declared(venue);
        declared.is_none_or(|declared| declared.declared_at < declared_at)
    }

    fn declared(&self, venue: &Venue) -> Option<&DeclaredSettings> {
        let index = self.declared_index(venue.as_str())?;
        self.venues[index].1.as_ref()
    }

    /// Puts stored settings in force.
    pub(crate) fn restore_settings(&mut self, index: usize, declared: DeclaredSettings) {
        self.venues[index].1 = Some(declared);
    }

    /// Puts new settings in force, which are to be stored.
    pub(crate) fn declare_settings(&mut self, index: usize, declared: DeclaredSettings) {
        self.restore_settings(index, declared);
        self.unstored.insert(index);
    }

    /// Requests that settings be copied to the other partitions and announced.
    pub(crate) fn request_copies(&mut self, venue: Venue, declared: DeclaredSettings) {
        self.to_copy.push((venue, declared));
    }

    /// Returns whether any settings have to be copied.
    pub(crate) const fn has_settings_to_copy(&self) -> bool {
        !self.to_copy.is_empty()
    }

    /// Takes the settings that have to be copied, in the order of their changes.
    pub(crate) fn take_settings_to_copy(&mut self) -> Vec<(Venue, DeclaredSettings)> {
        std::mem::take(&mut self.to_copy)
    }

    /// Returns the settings of a declared venue.
    #[inline]
    pub(crate) fn settings(&self, index: usize) -> &VenueSettings {
        let declared = self.venues[index].1.as_ref();
        let declared = declared.expect("symbols are added for declared venues only");
        &declared.settings
    }

    /// Takes the rows of the venues whose settings were declared since the last call, each venue
    /// once.
    pub(crate) fn take_unstored(&mut self) -> Vec<VenueRow> {
        let unstored = std::mem::take(&mut self.unstored);
        let row = |index: usize| {
            let (venue, declared) = &self.venues[index];
            let declared = declared.expect("its settings were declared");
            VenueRow {
                venue: venue.clone(),
                settings: declared.settings,
                declared_at: declared.declared_at,
            }
        };
        unstored.into_iter().map(row).collect()
    }
}
