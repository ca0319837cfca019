//! What is known of venues' settings.

use std::sync::RwLock;

use eventlog::{Log, LogError, Offset};
use hashbrown::HashMap;
use market::{Venue, VenueSettings};
use schemas::TradesRecord;
use store::{BarReader, StoreError};

use crate::IngestError;

/// How much of the log is read at once.
const FETCH_BYTES: usize = 1024 * 1024;

/// The partition whose order of settings counts: every declaration is appended to it first, so
/// of two that disagree the same one wins for every process.
pub(crate) const FIRST_PARTITION: u32 = 0;

/// Settings known to be in force in every partition.
#[derive(Default)]
pub(crate) struct KnownVenues(RwLock<HashMap<Box<str>, VenueSettings>>);

impl KnownVenues {
    pub(crate) fn get(&self, venue: &str) -> Option<VenueSettings> {
        let known = self.0.read().expect("no holder of the venues panics");
        known.get(venue).copied()
    }

    /// Notes what was declared just now.
    pub(crate) fn set(&self, venue: &Venue, settings: VenueSettings) {
        let mut known = self.0.write().expect("no holder of the venues panics");
        known.insert(venue.as_str().into(), settings);
    }

    /// Notes what was read, unless something was declared meanwhile.
    pub(crate) fn learn(&self, venue: &Venue, settings: VenueSettings) -> VenueSettings {
        let mut known = self.0.write().expect("no holder of the venues panics");
        *known.entry(venue.as_str().into()).or_insert(settings)
    }
}

/// The settings that a venue's declarations so far add up to.
pub(crate) struct Declared {
    /// As of the end of the first partition.
    pub(crate) settings: VenueSettings,
    /// Whether the store holds exactly these for every partition.
    pub(crate) everywhere: bool,
}

/// Reads a venue's settings up to `end` of the first partition (its present end where that is
/// not given): from the store, and from the records that the store has not seen.
pub(crate) async fn declared(
    log: &impl Log,
    reader: &impl BarReader,
    venue: &Venue,
    end: Option<Offset>,
) -> Result<Option<Declared>, IngestError> {
    // The progress first: the store may only be ahead of it, and settings read twice are the
    // same.
    let folded = folded_offset(log, reader).await?;
    let stored = reader.venues().await?;
    let stored = stored.into_iter().find(|row| row.venue == *venue);
    let mut settings = stored.map(|row| row.settings);
    let mut is_newer = false;
    let mut note = |later: VenueSettings| {
        is_newer = true;
        settings = Some(settings.map_or(later, |first| first.amended(&later)));
    };
    scan(log, folded, end, venue, &mut note).await?;
    let Some(settings) = settings else {
        return Ok(None);
    };
    let everywhere = !is_newer && reader.venue(venue, log.partitions()).await? == Some(settings);
    Ok(Some(Declared {
        settings,
        everywhere,
    }))
}

/// The first record of the first partition that the store has not seen.
async fn folded_offset(log: &impl Log, reader: &impl BarReader) -> Result<Offset, StoreError> {
    let progress = reader.partition_progress(FIRST_PARTITION).await?;
    let folded = progress.filter(|progress| progress.epoch == log.epoch());
    Ok(folded.map_or(0, |progress| progress.next_offset))
}

async fn scan(
    log: &impl Log,
    from: Offset,
    end: Option<Offset>,
    venue: &Venue,
    note: &mut (impl FnMut(VenueSettings) + Send),
) -> Result<(), LogError> {
    let bounds = log.bounds(FIRST_PARTITION).await?;
    let end = end.unwrap_or(bounds.end);
    let mut offset = from.max(bounds.first);
    while offset < end {
        let batch = log.fetch(FIRST_PARTITION, offset, FETCH_BYTES).await?;
        if batch.next_offset <= offset {
            break;
        }
        for record in batch.records {
            if !record.key.is_empty() || record.offset >= end {
                continue;
            }
            match TradesRecord::decode(&record.value) {
                Ok(TradesRecord::Setting(named, settings)) if named == *venue => note(settings),
                _ => {}
            }
        }
        offset = batch.next_offset;
    }
    Ok(())
}
