//! The settings of venues, as the log has declared them so far.

use market::{Venue, VenueSettings};

/// Venues by their places, which never change.
#[derive(Debug, Default)]
pub(super) struct Venues {
    list: Vec<(Venue, Option<VenueSettings>)>,
}

impl Venues {
    /// The place of a venue, made where there is none.
    pub(super) fn place(&mut self, name: &str) -> usize {
        let known = |(venue, _): &(Venue, _)| venue.as_str() == name;
        if let Some(place) = self.list.iter().position(known) {
            return place;
        }
        let venue = name.parse().expect("a name that was checked before");
        self.list.push((venue, None));
        self.list.len() - 1
    }

    /// The place of a venue that was declared.
    pub(super) fn known(&self, name: &str) -> Option<usize> {
        let declared =
            |(venue, settings): &(Venue, Option<_>)| venue.as_str() == name && settings.is_some();
        self.list.iter().position(declared)
    }

    /// Takes new settings; the scheme and scope of the first stay.
    pub(super) fn set(&mut self, place: usize, settings: VenueSettings) {
        let entry = &mut self.list[place].1;
        let settings = entry.map_or(settings, |first| first.updated_with(&settings));
        *entry = Some(settings);
    }

    #[inline]
    pub(super) fn settings(&self, place: usize) -> &VenueSettings {
        let settings = self.list[place].1.as_ref();
        settings.expect("symbols are made for declared venues only")
    }

    pub(super) fn get(&self, place: usize) -> (Venue, VenueSettings) {
        (self.list[place].0.clone(), *self.settings(place))
    }
}
