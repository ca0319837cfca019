//! The dead letters that are sent again.

use std::collections::HashSet;
use std::slice;

use eventlog::{Log, OffsetBounds};

use crate::arguments::ResendSelection;
use crate::filter::DeadLetterFilter;
use crate::foreign_records::ForeignRecordWarnings;
use crate::location::DeadLetterLocation;
use crate::topic_reader::{DeadLetterReader, read_bounds};
use crate::topic_record::{DeadLettersTopicRecord, StoredDeadLetter, read_topic_record};

/// The dead letters that are sent again. They can be read more than once, so they are not kept in
/// memory. Every read returns the same ones, except those that the topic deletes because of their
/// age in the meantime.
pub(crate) enum RepeatableResendSelection<'a> {
    /// The dead letters at these locations, oldest first.
    Locations(Vec<DeadLetterLocation>),
    /// Those that the filter selects within the bounds that the topic had at the beginning. A
    /// record that is sent again may become a dead letter again, which must not be sent forever.
    Matching(&'a DeadLetterFilter, Vec<OffsetBounds>),
}

/// Reads the selected dead letters, oldest first.
pub(crate) enum SelectedLettersReader<'a, L> {
    Locations(&'a L, slice::Iter<'a, DeadLetterLocation>),
    Matching(Box<DeadLetterReader<'a, L>>, &'a DeadLetterFilter),
}

impl<'a> RepeatableResendSelection<'a> {
    /// Reads the dead letters at selected locations, to put them in order and to leave out repeats;
    /// of a filter reads only the bounds of the topic. Adds records at the locations that are not
    /// dead letters to `foreign_warnings`.
    pub(crate) async fn resolve_locations_or_bounds<L: Log>(
        log: &L,
        selection: &'a ResendSelection,
        foreign_warnings: &mut ForeignRecordWarnings,
        mut warn: impl FnMut(&str),
    ) -> anyhow::Result<Self> {
        let locations = match selection {
            ResendSelection::Matching(filter) => {
                return Ok(Self::Matching(filter, read_bounds(log).await?));
            }
            ResendSelection::Locations(locations) => locations,
        };
        let (mut selected, mut sources) = (Vec::new(), HashSet::new());
        for location in locations {
            match read_topic_record(log, *location).await? {
                DeadLettersTopicRecord::DeadLetter(StoredDeadLetter {
                    location,
                    append_time_ns,
                    letter,
                }) => {
                    // Two dead letters may hold the same record, if a process ended between them.
                    if sources.insert((letter.partition, letter.position)) {
                        selected.push((append_time_ns, location));
                    }
                }
                DeadLettersTopicRecord::Foreign(record) => {
                    foreign_warnings
                        .add(&record)
                        .iter()
                        .for_each(|line| warn(line));
                }
            }
        }
        selected.sort_unstable();
        let locations = selected.into_iter().map(|(_, location)| location).collect();
        Ok(Self::Locations(locations))
    }

    /// Starts to read the dead letters.
    pub(crate) fn reader<L: Log>(&'a self, log: &'a L) -> SelectedLettersReader<'a, L> {
        match self {
            Self::Locations(locations) => SelectedLettersReader::Locations(log, locations.iter()),
            Self::Matching(filter, bounds) => {
                let reader = DeadLetterReader::new(log, bounds);
                SelectedLettersReader::Matching(Box::new(reader), filter)
            }
        }
    }
}

impl<L: Log> SelectedLettersReader<'_, L> {
    /// Returns the next dead letter, or a record that is not one; `None` at the end.
    pub(crate) async fn next_record(&mut self) -> anyhow::Result<Option<DeadLettersTopicRecord>> {
        match self {
            Self::Locations(log, locations) => match locations.next() {
                Some(location) => read_topic_record(*log, *location).await.map(Some),
                None => Ok(None),
            },
            Self::Matching(reader, filter) => loop {
                match reader.next_record().await? {
                    Some(DeadLettersTopicRecord::DeadLetter(stored))
                        if !filter.matches(&stored.letter) => {}
                    record => return Ok(record),
                }
            },
        }
    }
}
