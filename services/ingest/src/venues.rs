//! The settings of venues, as the log has declared them.

use eventlog::{Log, LogError, Offset};
use market::{DeclaredSettings, Position, SettingsChange, Venue};
use schemas::{SETTINGS_PARTITION, TradesTopicRecord};
use store::{BarReader, StoreError};

use crate::error::IngestError;

/// The number of bytes that are read from the log at once.
const FETCH_BYTES: usize = 1024 * 1024;

/// Loads the settings that result from a venue's changes before offset `end` of the partition that
/// orders them, or before its current end if `end` is `None`. Combines the stored settings with the
/// records that are not folded yet, as the fold does. The stored settings may be of a later change.
pub(crate) async fn load_declared_settings(
    log: &impl Log,
    reader: &impl BarReader,
    venue: &Venue,
    end: Option<Offset>,
) -> Result<Option<DeclaredSettings>, IngestError> {
    // The progress is read first: the settings in the store may be newer than it, and the position
    // of the change tells.
    let next_offset = load_first_unfolded_settings_offset(log, reader).await?;
    let stored = reader.venues().await?;
    let stored = stored.into_iter().find(|row| row.venue == *venue);
    let mut declared = stored.map(|row| row.declared());
    let epoch = log.epoch();
    let mut on_change = |offset: Offset, change: SettingsChange| {
        let declared_at = Position { epoch, offset };
        if declared.is_some_and(|known| known.declared_at >= declared_at) {
            return;
        }
        let before = declared.map(|known| known.settings);
        if let Ok(settings) = change.apply_to(before.as_ref()) {
            declared = Some(DeclaredSettings {
                settings,
                declared_at,
            });
        }
    };
    scan_changes(log, next_offset, end, venue, &mut on_change).await?;
    Ok(declared)
}

/// Loads the first offset, of the partition that orders settings, that is not folded yet.
async fn load_first_unfolded_settings_offset(
    log: &impl Log,
    reader: &impl BarReader,
) -> Result<Offset, StoreError> {
    let progress = reader.all_partition_progress().await?;
    let row = progress
        .iter()
        .find(|progress| progress.partition == SETTINGS_PARTITION && progress.epoch == log.epoch());
    Ok(row.map_or(0, |progress| progress.next_offset))
}

/// Passes the changes of a venue's settings in `[from, end)` of the partition that orders them to
/// `on_change`, with their offsets.
async fn scan_changes(
    log: &impl Log,
    from: Offset,
    end: Option<Offset>,
    venue: &Venue,
    on_change: &mut (impl FnMut(Offset, SettingsChange) + Send),
) -> Result<(), LogError> {
    let bounds = log.bounds(SETTINGS_PARTITION).await?;
    let end = end.unwrap_or(bounds.end);
    let mut offset = from.max(bounds.first);
    while offset < end {
        let batch = log.fetch(SETTINGS_PARTITION, offset, FETCH_BYTES).await?;
        if batch.next_offset <= offset {
            break;
        }
        for record in batch.records {
            if !record.key.is_empty() || record.offset >= end {
                continue;
            }
            match TradesTopicRecord::decode(&record.value) {
                Ok(TradesTopicRecord::Setting(named, change)) if named == *venue => {
                    on_change(record.offset, change);
                }
                _ => {}
            }
        }
        offset = batch.next_offset;
    }
    Ok(())
}
