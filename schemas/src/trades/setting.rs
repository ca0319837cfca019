//! A venue's settings: venue, id scheme, id scope, tie order, lateness, idle, non-positive prices,
//! old times.

use market::{Venue, VenueSettings};
use rmp::encode::{write_bool, write_sint, write_str};

use super::kinds::{SETTING, write_record_header};
use crate::error::DecodeError;
use crate::record_reader::{RecordReader, check_array_length};
use crate::record_writer::IN_MEMORY;

const SETTING_ELEMENTS: u32 = 10;

pub(super) fn encode_venue_settings(venue: &Venue, settings: &VenueSettings, out: &mut Vec<u8>) {
    write_record_header(out, SETTING_ELEMENTS, SETTING);
    write_str(out, venue.as_str()).expect(IN_MEMORY);
    write_str(out, settings.scheme.name()).expect(IN_MEMORY);
    write_str(out, settings.scope.name()).expect(IN_MEMORY);
    write_str(out, settings.ties.name()).expect(IN_MEMORY);
    write_sint(out, settings.lateness_ns).expect(IN_MEMORY);
    write_sint(out, settings.idle_ns).expect(IN_MEMORY);
    write_bool(out, settings.nonpositive_prices).expect(IN_MEMORY);
    write_bool(out, settings.old_times).expect(IN_MEMORY);
}

/// Reads a venue's settings. Durations that are out of their bounds become the nearest bound.
pub(super) fn decode_and_clamp_venue_settings(
    reader: &mut RecordReader<'_>,
    elements: u32,
) -> Result<(Venue, VenueSettings), DecodeError> {
    check_array_length("record", elements, SETTING_ELEMENTS)?;
    let venue = reader.read_parsed("venue")?;
    let mut settings = VenueSettings {
        scheme: reader.read_parsed("scheme")?,
        scope: reader.read_parsed("scope")?,
        ties: reader.read_parsed("ties")?,
        lateness_ns: reader.read_i64("lateness")?,
        idle_ns: reader.read_i64("idle")?,
        nonpositive_prices: reader.read_boolean("nonpositive_prices")?,
        old_times: reader.read_boolean("old_times")?,
    };
    settings.lateness_ns = settings.lateness_ns.clamp(0, VenueSettings::MAX_WAIT_NS);
    settings.idle_ns = settings.idle_ns.clamp(0, VenueSettings::MAX_WAIT_NS);
    Ok((venue, settings))
}
