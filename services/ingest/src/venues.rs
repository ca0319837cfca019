//! The settings of venues.

use std::sync::RwLock;

use eventlog::{Log, LogError, Offset};
use hashbrown::HashMap;
use market::{Venue, VenueSettings};
use schemas::TradesTopicRecord;
use store::{BarReader, StoreError};

use crate::error::IngestError;

/// The number of bytes that are read from the log at once.
const FETCH_BYTES: usize = 1024 * 1024;

/// The partition whose order of settings counts. Every declaration is appended to it first, so of
/// two conflicting declarations every process accepts the same one.
pub(crate) const DECIDING_PARTITION: u32 = 0;

/// The settings that are known to be in force in every partition.
#[derive(Default)]
pub(crate) struct KnownVenues(RwLock<HashMap<Box<str>, VenueSettings>>);

impl KnownVenues {
    pub(crate) fn get(&self, venue: &str) -> Option<VenueSettings> {
        let known = self
            .0
            .read()
            .expect("no thread panics while it holds the lock");
        known.get(venue).copied()
    }

    /// Stores settings that were declared just now.
    pub(crate) fn insert_declared(&self, venue: &Venue, settings: VenueSettings) {
        let mut known = self
            .0
            .write()
            .expect("no thread panics while it holds the lock");
        known.insert(venue.as_str().into(), settings);
    }

    /// Stores settings that were loaded, unless others were declared meanwhile. Returns the
    /// settings in force.
    pub(crate) fn insert_loaded_if_absent(
        &self,
        venue: &Venue,
        settings: VenueSettings,
    ) -> VenueSettings {
        let mut known = self
            .0
            .write()
            .expect("no thread panics while it holds the lock");
        *known.entry(venue.as_str().into()).or_insert(settings)
    }
}

/// The declarations of a venue so far.
pub(crate) struct DeclaredVenueSettings {
    /// The settings that result from all declarations in the deciding partition.
    pub(crate) settings: VenueSettings,
    /// Whether the store holds exactly these settings for every partition.
    pub(crate) is_everywhere: bool,
}

/// Loads the settings that result from a venue's declarations before offset `end` of the deciding
/// partition, or before its current end if `end` is `None`. Combines the stored settings with the
/// records that are not folded yet.
pub(crate) async fn load_declared_settings(
    log: &impl Log,
    reader: &impl BarReader,
    venue: &Venue,
    end: Option<Offset>,
) -> Result<Option<DeclaredVenueSettings>, IngestError> {
    // The progress is read first: the settings in the store may be newer than it, and applying the
    // same settings twice changes nothing.
    let next_offset = load_next_offset_of_deciding_partition(log, reader).await?;
    let stored = reader.venues().await?;
    let stored = stored.into_iter().find(|row| row.venue == *venue);
    let mut settings = stored.map(|row| row.settings);
    let mut is_newer = false;
    let mut on_settings = |later: VenueSettings| {
        is_newer = true;
        settings = Some(settings.map_or(later, |first| first.updated_except_id_rules(&later)));
    };
    scan_declarations(log, next_offset, end, venue, &mut on_settings).await?;
    let Some(settings) = settings else {
        return Ok(None);
    };
    let is_everywhere = !is_newer
        && reader
            .venue_settings_if_in_every_partition(venue, log.partitions())
            .await?
            == Some(settings);
    Ok(Some(DeclaredVenueSettings {
        settings,
        is_everywhere,
    }))
}

/// Loads the first offset of the deciding partition that is not folded yet.
async fn load_next_offset_of_deciding_partition(
    log: &impl Log,
    reader: &impl BarReader,
) -> Result<Offset, StoreError> {
    let progress = reader.all_partition_progress().await?;
    let row = progress
        .iter()
        .find(|progress| progress.partition == DECIDING_PARTITION && progress.epoch == log.epoch());
    Ok(row.map_or(0, |progress| progress.next_offset))
}

/// Passes the settings of a venue in `[from, end)` of the deciding partition to `on_settings`.
async fn scan_declarations(
    log: &impl Log,
    from: Offset,
    end: Option<Offset>,
    venue: &Venue,
    on_settings: &mut (impl FnMut(VenueSettings) + Send),
) -> Result<(), LogError> {
    let bounds = log.bounds(DECIDING_PARTITION).await?;
    let end = end.unwrap_or(bounds.end);
    let mut offset = from.max(bounds.first);
    while offset < end {
        let batch = log.fetch(DECIDING_PARTITION, offset, FETCH_BYTES).await?;
        if batch.next_offset <= offset {
            break;
        }
        for record in batch.records {
            if !record.key.is_empty() || record.offset >= end {
                continue;
            }
            match TradesTopicRecord::decode(&record.value) {
                Ok(TradesTopicRecord::Setting(named, settings)) if named == *venue => {
                    on_settings(settings);
                }
                _ => {}
            }
        }
        offset = batch.next_offset;
    }
    Ok(())
}
