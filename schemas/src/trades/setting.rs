//! A venue's settings: a change of some of them, and copies of all of them.

use market::{DeclaredSettings, SettingsChange, Venue, VenueSettings};
use rmp::encode::{write_bool, write_nil, write_sint, write_str, write_uint};

use super::kinds::{SETTING, SETTING_COPY, write_record_header};
use crate::error::DecodeError;
use crate::record_reader::{RecordReader, check_array_length};
use crate::record_writer::IN_MEMORY;

/// The elements of the settings themselves: scheme, scope, ties, lateness, idle, non-positive
/// prices, old times, retired.
const VALUES: u32 = 8;
/// The version, the kind, the venue and the settings.
const CHANGE_ELEMENTS: u32 = 3 + VALUES;
/// The elements of declared settings after the version and the kind: venue, epoch, offset and the
/// settings.
const DECLARED_ELEMENTS: u32 = 3 + VALUES;
const COPY_ELEMENTS: u32 = 2 + DECLARED_ELEMENTS;

pub(super) fn encode_settings_change(venue: &Venue, change: &SettingsChange, out: &mut Vec<u8>) {
    write_record_header(out, CHANGE_ELEMENTS, SETTING);
    write_str(out, venue.as_str()).expect(IN_MEMORY);
    write_settings_change(out, change);
}

/// Reads a change of settings. Durations that are out of their bounds become the nearest bound.
pub(super) fn decode_settings_change(
    reader: &mut RecordReader<'_>,
    record_elements: u32,
) -> Result<(Venue, SettingsChange), DecodeError> {
    check_array_length("record", record_elements, CHANGE_ELEMENTS)?;
    let venue = reader.read_parsed("venue")?;
    Ok((venue, read_settings_change(reader)?))
}

pub(super) fn encode_settings_copy(venue: &Venue, declared: &DeclaredSettings, out: &mut Vec<u8>) {
    write_record_header(out, COPY_ELEMENTS, SETTING_COPY);
    write_declared_settings(out, venue, declared);
}

pub(super) fn decode_settings_copy(
    reader: &mut RecordReader<'_>,
    record_elements: u32,
) -> Result<(Venue, DeclaredSettings), DecodeError> {
    check_array_length("record", record_elements, COPY_ELEMENTS)?;
    read_declared_settings(reader)
}

/// The elements that [`write_declared_settings`] writes.
pub(crate) const fn declared_settings_elements() -> u32 {
    DECLARED_ELEMENTS
}

/// Writes a venue, the position of its last change, and all its settings.
pub(crate) fn write_declared_settings(
    out: &mut Vec<u8>,
    venue: &Venue,
    declared: &DeclaredSettings,
) {
    write_str(out, venue.as_str()).expect(IN_MEMORY);
    write_uint(out, declared.declared_at.epoch).expect(IN_MEMORY);
    write_uint(out, declared.declared_at.offset).expect(IN_MEMORY);
    write_settings_change(out, &SettingsChange::of_all(&declared.settings));
}

/// Reads what [`write_declared_settings`] wrote.
pub(crate) fn read_declared_settings(
    reader: &mut RecordReader<'_>,
) -> Result<(Venue, DeclaredSettings), DecodeError> {
    let venue = reader.read_parsed("venue")?;
    let declared_at = reader.read_position("declared_at")?;
    let change = read_settings_change(reader)?;
    let settings = change.apply_to(None);
    let settings = settings.expect("a venue without settings has none that conflict");
    if SettingsChange::of_all(&settings) != change {
        return Err(DecodeError::malformed("record", "a setting is missing"));
    }
    let declared = DeclaredSettings {
        settings,
        declared_at,
    };
    Ok((venue, declared))
}

fn write_settings_change(out: &mut Vec<u8>, change: &SettingsChange) {
    let names = [
        change.scheme.map(market::IdScheme::name),
        change.scope.map(market::IdScope::name),
        change.ties.map(market::TieOrder::name),
    ];
    for name in names {
        match name {
            Some(name) => write_str(out, name).expect(IN_MEMORY),
            None => write_nil(out).expect(IN_MEMORY),
        }
    }
    for duration_ns in [change.lateness_ns, change.idle_ns] {
        match duration_ns {
            Some(duration_ns) => _ = write_sint(out, duration_ns).expect(IN_MEMORY),
            None => write_nil(out).expect(IN_MEMORY),
        }
    }
    for value in [change.nonpositive_prices, change.old_times, change.retired] {
        match value {
            Some(value) => write_bool(out, value).expect(IN_MEMORY),
            None => write_nil(out).expect(IN_MEMORY),
        }
    }
}

fn read_settings_change(reader: &mut RecordReader<'_>) -> Result<SettingsChange, DecodeError> {
    Ok(SettingsChange {
        scheme: read_unless_nil(reader, "scheme", RecordReader::read_parsed)?,
        scope: read_unless_nil(reader, "scope", RecordReader::read_parsed)?,
        ties: read_unless_nil(reader, "ties", RecordReader::read_parsed)?,
        lateness_ns: read_unless_nil(reader, "lateness", read_and_clamp_duration)?,
        idle_ns: read_unless_nil(reader, "idle", read_and_clamp_duration)?,
        nonpositive_prices: read_unless_nil(
            reader,
            "nonpositive_prices",
            RecordReader::read_boolean,
        )?,
        old_times: read_unless_nil(reader, "old_times", RecordReader::read_boolean)?,
        retired: read_unless_nil(reader, "retired", RecordReader::read_boolean)?,
    })
}

fn read_unless_nil<'a, T>(
    reader: &mut RecordReader<'a>,
    field: &'static str,
    read: impl FnOnce(&mut RecordReader<'a>, &'static str) -> Result<T, DecodeError>,
) -> Result<Option<T>, DecodeError> {
    if reader.read_nil_if_next(field)? {
        return Ok(None);
    }
    read(reader, field).map(Some)
}

fn read_and_clamp_duration(
    reader: &mut RecordReader<'_>,
    field: &'static str,
) -> Result<i64, DecodeError> {
    let duration_ns = reader.read_i64(field)?;
    Ok(duration_ns.clamp(0, VenueSettings::MAX_WAIT_NS))
}
