//! Bars as records: the payload of `bar-updates`, and the body of a stored row.

use std::sync::Arc;

use market::{Bar, BarRow, EdgeTrade, Interval, Position};
use rmp::encode::{write_array_len, write_bool, write_sint, write_str, write_uint};

use crate::DecodeError;
use crate::read::{IN_MEMORY, Reader, VERSION, expect_fields, write_id, write_text_or_nil};

/// The one kind of record in `bar-updates`.
const UPDATE: u64 = 0;
const UPDATE_FIELDS: u32 = 3;
const RECORD_FIELDS: u32 = 2;
const ROW_FIELDS: u32 = 16;
const EDGE_FIELDS: u32 = 6;
/// The version, then the bar.
const BAR_FIELDS: u32 = 11;

/// The bytes of one update: the changed bars of one instrument, each whole.
#[must_use]
pub fn encode_bar_update<'a>(rows: impl ExactSizeIterator<Item = &'a BarRow>) -> Vec<u8> {
    let mut out = Vec::with_capacity(16 + rows.len() * 256);
    write_array_len(&mut out, UPDATE_FIELDS).expect(IN_MEMORY);
    write_uint(&mut out, VERSION).expect(IN_MEMORY);
    write_uint(&mut out, UPDATE).expect(IN_MEMORY);
    let count = u32::try_from(rows.len()).expect("a symbol changes few bars a tick");
    write_array_len(&mut out, count).expect(IN_MEMORY);
    for row in rows {
        write_row(&mut out, row);
    }
    out
}

/// Reads one update.
///
/// # Errors
/// [`DecodeError`], where the bytes are not one.
pub fn decode_bar_update(bytes: &[u8]) -> Result<Vec<BarRow>, DecodeError> {
    let mut reader = Reader::new(bytes);
    let fields = reader.array("record")?;
    reader.version()?;
    match reader.unsigned("kind")? {
        UPDATE => expect_fields("record", fields, UPDATE_FIELDS)?,
        found => return Err(DecodeError::Kind { found }),
    }
    let count = reader.array("bars")?;
    let mut rows = Vec::with_capacity(count.min(64) as usize);
    for _ in 0..count {
        rows.push(read_row(&mut reader)?);
    }
    reader.end()?;
    Ok(rows)
}

/// The bytes of one stored bar.
#[must_use]
pub fn encode_bar_row(row: &BarRow) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    write_array_len(&mut out, RECORD_FIELDS).expect(IN_MEMORY);
    write_uint(&mut out, VERSION).expect(IN_MEMORY);
    write_row(&mut out, row);
    out
}

/// Reads one stored bar.
///
/// # Errors
/// [`DecodeError`], where the bytes are not one.
pub fn decode_bar_row(bytes: &[u8]) -> Result<BarRow, DecodeError> {
    let mut reader = Reader::new(bytes);
    let fields = reader.array("record")?;
    reader.version()?;
    expect_fields("record", fields, RECORD_FIELDS)?;
    let row = read_row(&mut reader)?;
    reader.end()?;
    Ok(row)
}

/// The bytes of what some trades add up to, without a window.
#[must_use]
pub fn encode_bar(bar: &Bar) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    write_array_len(&mut out, BAR_FIELDS).expect(IN_MEMORY);
    write_uint(&mut out, VERSION).expect(IN_MEMORY);
    write_bar(&mut out, bar);
    out
}

/// Reads what [`encode_bar`] wrote.
///
/// # Errors
/// [`DecodeError`], where the bytes are not that.
pub fn decode_bar(bytes: &[u8]) -> Result<Bar, DecodeError> {
    let mut reader = Reader::new(bytes);
    let fields = reader.array("record")?;
    reader.version()?;
    expect_fields("record", fields, BAR_FIELDS)?;
    let bar = read_bar(&mut reader)?;
    reader.end()?;
    Ok(bar)
}

fn write_row(out: &mut Vec<u8>, row: &BarRow) {
    let seconds = row.window.interval.length_ns() / market::SECOND_NS;
    write_array_len(out, ROW_FIELDS).expect(IN_MEMORY);
    write_sint(out, seconds).expect(IN_MEMORY);
    write_sint(out, row.window.start_ns).expect(IN_MEMORY);
    write_bar(out, &row.bar);
    write_bool(out, row.closed).expect(IN_MEMORY);
    write_uint(out, row.revision).expect(IN_MEMORY);
    write_uint(out, row.through.epoch).expect(IN_MEMORY);
    write_uint(out, row.through.offset).expect(IN_MEMORY);
}

fn write_bar(out: &mut Vec<u8>, bar: &Bar) {
    write_edge(out, &bar.open);
    write_text(out, &bar.high);
    write_text(out, &bar.low);
    write_edge(out, &bar.close);
    write_text(out, &bar.volume);
    write_text(out, &bar.buy_volume);
    write_text(out, &bar.sell_volume);
    write_text(out, &bar.notional);
    write_uint(out, bar.trades).expect(IN_MEMORY);
    write_sint(out, bar.first_append_ns).expect(IN_MEMORY);
}

fn write_text(out: &mut Vec<u8>, value: &impl std::fmt::Display) {
    write_str(out, &value.to_string()).expect(IN_MEMORY);
}

fn write_edge(out: &mut Vec<u8>, edge: &EdgeTrade) {
    write_array_len(out, EDGE_FIELDS).expect(IN_MEMORY);
    write_sint(out, edge.time_ns).expect(IN_MEMORY);
    write_text(out, &edge.price);
    write_id(out, edge.id.as_ref());
    write_text_or_nil(out, edge.scope.as_deref());
    write_uint(out, edge.position.epoch).expect(IN_MEMORY);
    write_uint(out, edge.position.offset).expect(IN_MEMORY);
}

fn read_row(reader: &mut Reader<'_>) -> Result<BarRow, DecodeError> {
    reader.fields("bar", ROW_FIELDS)?;
    let seconds = reader.signed("interval")?;
    let interval = Interval::ALL
        .into_iter()
        .find(|interval| interval.length_ns() / market::SECOND_NS == seconds)
        .ok_or_else(|| DecodeError::malformed("interval", &format!("{seconds} s is none")))?;
    let start_ns = reader.signed("start")?;
    Ok(BarRow {
        window: market::Window { interval, start_ns },
        bar: read_bar(reader)?,
        closed: reader.boolean("closed")?,
        revision: reader.unsigned("revision")?,
        through: read_position(reader, "through")?,
    })
}

fn read_bar(reader: &mut Reader<'_>) -> Result<Bar, DecodeError> {
    Ok(Bar {
        open: read_edge(reader, "open")?,
        high: reader.parsed("high")?,
        low: reader.parsed("low")?,
        close: read_edge(reader, "close")?,
        volume: reader.parsed("volume")?,
        buy_volume: reader.parsed("buy_volume")?,
        sell_volume: reader.parsed("sell_volume")?,
        notional: reader.parsed("notional")?,
        trades: reader.unsigned("trades")?,
        first_append_ns: reader.signed("first_append")?,
    })
}

fn read_edge(reader: &mut Reader<'_>, field: &'static str) -> Result<EdgeTrade, DecodeError> {
    reader.fields(field, EDGE_FIELDS)?;
    let time_ns = reader.signed(field)?;
    let price = reader.parsed(field)?;
    let id = reader.id(field)?;
    let scope: Option<Arc<str>> = reader.scope(field)?;
    Ok(EdgeTrade {
        time_ns,
        id,
        scope,
        position: read_position(reader, field)?,
        price,
    })
}

fn read_position(reader: &mut Reader<'_>, field: &'static str) -> Result<Position, DecodeError> {
    Ok(Position {
        epoch: reader.unsigned(field)?,
        offset: reader.unsigned(field)?,
    })
}

#[cfg(test)]
mod tests;
