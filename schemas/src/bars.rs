//! Bars as records: the payload of `bar-updates`, and the body of a stored row.

use std::sync::Arc;

use market::{Bar, BarRow, DeclaredSettings, EdgeTrade, Interval, SECOND_NS, Venue, Window};
use rmp::encode::{write_array_len, write_bool, write_sint, write_str, write_uint};

use crate::error::DecodeError;
use crate::record_reader::{RecordReader, check_array_length};
use crate::record_writer::{IN_MEMORY, VERSION, write_text_or_nil, write_trade_id};
use crate::trades::setting::{
    declared_settings_elements, read_declared_settings, write_declared_settings,
};

/// The kinds of records in `bar-updates`: changed bars, and a venue's settings.
const UPDATE: u64 = 0;
const SETTINGS: u64 = 1;
const UPDATE_ELEMENTS: u32 = 3;
/// The elements of a stored row's record: the version and the row.
const ROW_RECORD_ELEMENTS: u32 = 2;
const ROW_ELEMENTS: u32 = 18;
/// The elements of an edge trade.
const EDGE_ELEMENTS: u32 = 6;
/// The elements of a bar's record: the version and the values of the bar.
const BAR_RECORD_ELEMENTS: u32 = 1 + BAR_VALUES;
/// The values of a bar without its window.
pub(crate) const BAR_VALUES: u32 = 11;

/// A record of the topic `bar-updates`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BarUpdatesTopicRecord {
    /// The changed bars of the instrument that the key names.
    Bars(Vec<BarRow>),
    /// A venue's settings, which every partition of `trades` holds.
    Settings(Venue, DeclaredSettings),
}

/// Reads one record of `bar-updates`.
///
/// # Errors
/// [`DecodeError`] if the bytes are not such a record.
pub fn decode_bar_updates_record(bytes: &[u8]) -> Result<BarUpdatesTopicRecord, DecodeError> {
    let mut reader = RecordReader::new(bytes);
    let elements = reader.read_array_length("record")?;
    reader.read_and_check_version()?;
    let record = match reader.read_u64("kind")? {
        UPDATE => {
            check_array_length("record", elements, UPDATE_ELEMENTS)?;
            BarUpdatesTopicRecord::Bars(read_rows(&mut reader)?)
        }
        SETTINGS => {
            check_array_length("record", elements, 2 + declared_settings_elements())?;
            let (venue, declared) = read_declared_settings(&mut reader)?;
            BarUpdatesTopicRecord::Settings(venue, declared)
        }
        found => return Err(DecodeError::Kind { found }),
    };
    reader.check_fully_read("record")?;
    Ok(record)
}

/// Returns the bytes of one record of `bar-updates`: a venue's settings.
#[must_use]
pub fn encode_settings_announcement(venue: &Venue, declared: &DeclaredSettings) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    write_array_len(&mut out, 2 + declared_settings_elements()).expect(IN_MEMORY);
    write_uint(&mut out, VERSION).expect(IN_MEMORY);
    write_uint(&mut out, SETTINGS).expect(IN_MEMORY);
    write_declared_settings(&mut out, venue, declared);
    out
}

/// Returns the bytes of one record of `bar-updates`: the changed bars of one instrument, each
/// whole.
#[must_use]
pub fn encode_bar_update<'a>(rows: impl ExactSizeIterator<Item = &'a BarRow>) -> Vec<u8> {
    let mut out = Vec::with_capacity(16 + rows.len() * 256);
    write_array_len(&mut out, UPDATE_ELEMENTS).expect(IN_MEMORY);
    write_uint(&mut out, VERSION).expect(IN_MEMORY);
    write_uint(&mut out, UPDATE).expect(IN_MEMORY);
    let count = u32::try_from(rows.len()).expect("few bars of a symbol change at once");
    write_array_len(&mut out, count).expect(IN_MEMORY);
    for row in rows {
        write_row(&mut out, row);
    }
    out
}

/// Reads one record of changed bars of `bar-updates`.
///
/// # Errors
/// [`DecodeError`] if the bytes are not such a record.
pub fn decode_bar_update(bytes: &[u8]) -> Result<Vec<BarRow>, DecodeError> {
    match decode_bar_updates_record(bytes)? {
        BarUpdatesTopicRecord::Bars(rows) => Ok(rows),
        BarUpdatesTopicRecord::Settings(..) => Err(DecodeError::Kind { found: SETTINGS }),
    }
}

fn read_rows(reader: &mut RecordReader<'_>) -> Result<Vec<BarRow>, DecodeError> {
    let count = reader.read_array_length("bars")?;
    let mut rows = Vec::with_capacity(count.min(64) as usize);
    for _ in 0..count {
        rows.push(read_row(reader)?);
    }
    Ok(rows)
}

/// Returns the bytes of one stored row.
#[must_use]
pub fn encode_bar_row(row: &BarRow) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    write_array_len(&mut out, ROW_RECORD_ELEMENTS).expect(IN_MEMORY);
    write_uint(&mut out, VERSION).expect(IN_MEMORY);
    write_row(&mut out, row);
    out
}

/// Reads one stored row.
///
/// # Errors
/// [`DecodeError`] if the bytes are not a stored row.
pub fn decode_bar_row(bytes: &[u8]) -> Result<BarRow, DecodeError> {
    let mut reader = RecordReader::new(bytes);
    let elements = reader.read_array_length("record")?;
    reader.read_and_check_version()?;
    check_array_length("record", elements, ROW_RECORD_ELEMENTS)?;
    let row = read_row(&mut reader)?;
    reader.check_fully_read("record")?;
    Ok(row)
}

/// Returns the bytes of a bar without its window.
#[must_use]
pub fn encode_bar(bar: &Bar) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    write_array_len(&mut out, BAR_RECORD_ELEMENTS).expect(IN_MEMORY);
    write_uint(&mut out, VERSION).expect(IN_MEMORY);
    write_bar_values(&mut out, bar);
    out
}

/// Reads what [`encode_bar`] wrote.
///
/// # Errors
/// [`DecodeError`] if the bytes are not a bar.
pub fn decode_bar(bytes: &[u8]) -> Result<Bar, DecodeError> {
    let mut reader = RecordReader::new(bytes);
    let elements = reader.read_array_length("record")?;
    reader.read_and_check_version()?;
    check_array_length("record", elements, BAR_RECORD_ELEMENTS)?;
    let bar = read_bar_values(&mut reader)?;
    reader.check_fully_read("record")?;
    Ok(bar)
}

fn write_row(out: &mut Vec<u8>, row: &BarRow) {
    let seconds = row.window.interval.length_ns() / SECOND_NS;
    write_array_len(out, ROW_ELEMENTS).expect(IN_MEMORY);
    write_sint(out, seconds).expect(IN_MEMORY);
    write_sint(out, row.window.start_ns).expect(IN_MEMORY);
    write_bar_values(out, &row.bar);
    write_bool(out, row.closed).expect(IN_MEMORY);
    write_bool(out, row.provable).expect(IN_MEMORY);
    write_uint(out, row.revision).expect(IN_MEMORY);
    write_uint(out, row.through.epoch).expect(IN_MEMORY);
    write_uint(out, row.through.offset).expect(IN_MEMORY);
}

pub(crate) fn write_bar_values(out: &mut Vec<u8>, bar: &Bar) {
    write_edge(out, &bar.open);
    write_as_text(out, &bar.high);
    write_as_text(out, &bar.low);
    write_edge(out, &bar.close);
    write_as_text(out, &bar.volume);
    write_as_text(out, &bar.buy_volume);
    write_as_text(out, &bar.sell_volume);
    write_as_text(out, &bar.notional);
    write_uint(out, bar.trades).expect(IN_MEMORY);
    write_uint(out, bar.admitted).expect(IN_MEMORY);
    write_sint(out, bar.first_append_ns).expect(IN_MEMORY);
}

fn write_as_text(out: &mut Vec<u8>, value: &impl std::fmt::Display) {
    write_str(out, &value.to_string()).expect(IN_MEMORY);
}

fn write_edge(out: &mut Vec<u8>, edge: &EdgeTrade) {
    write_array_len(out, EDGE_ELEMENTS).expect(IN_MEMORY);
    write_sint(out, edge.time_ns).expect(IN_MEMORY);
    write_as_text(out, &edge.price);
    write_trade_id(out, edge.id.as_ref());
    write_text_or_nil(out, edge.scope.as_deref());
    write_uint(out, edge.position.epoch).expect(IN_MEMORY);
    write_uint(out, edge.position.offset).expect(IN_MEMORY);
}

fn read_row(reader: &mut RecordReader<'_>) -> Result<BarRow, DecodeError> {
    reader.read_array_of_length("bar", ROW_ELEMENTS)?;
    let seconds = reader.read_i64("interval")?;
    let interval = Interval::ALL
        .into_iter()
        .find(|interval| interval.length_ns() / SECOND_NS == seconds)
        .ok_or_else(|| {
            DecodeError::malformed("interval", &format!("no interval has {seconds} s"))
        })?;
    let start_ns = reader.read_i64("start")?;
    Ok(BarRow {
        window: Window { interval, start_ns },
        bar: read_bar_values(reader)?,
        closed: reader.read_boolean("closed")?,
        provable: reader.read_boolean("provable")?,
        revision: reader.read_u64("revision")?,
        through: reader.read_position("through")?,
    })
}

pub(crate) fn read_bar_values(reader: &mut RecordReader<'_>) -> Result<Bar, DecodeError> {
    Ok(Bar {
        open: read_edge(reader, "open")?,
        high: reader.read_parsed("high")?,
        low: reader.read_parsed("low")?,
        close: read_edge(reader, "close")?,
        volume: reader.read_parsed("volume")?,
        buy_volume: reader.read_parsed("buy_volume")?,
        sell_volume: reader.read_parsed("sell_volume")?,
        notional: reader.read_parsed("notional")?,
        trades: reader.read_u64("trades")?,
        admitted: reader.read_u64("admitted")?,
        first_append_ns: reader.read_i64("first_append")?,
    })
}

fn read_edge(reader: &mut RecordReader<'_>, field: &'static str) -> Result<EdgeTrade, DecodeError> {
    reader.read_array_of_length(field, EDGE_ELEMENTS)?;
    let time_ns = reader.read_i64(field)?;
    let price = reader.read_parsed(field)?;
    let id = reader.read_trade_id(field)?;
    let scope: Option<Arc<str>> = reader.read_trade_scope(field)?;
    Ok(EdgeTrade {
        time_ns,
        id,
        scope,
        position: reader.read_position(field)?,
        price,
    })
}

#[cfg(test)]
pub(crate) mod tests;
