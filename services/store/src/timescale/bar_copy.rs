//! Bars as PostgreSQL's binary `COPY` accepts them
//! (<https://www.postgresql.org/docs/current/sql-copy.html>).

use std::fmt::Display;

use market::{EdgeTrade, Position};

use super::bar_columns::interval_seconds;
use super::column::u64_bits_as_bigint;
use super::database_error::DatabaseError;
use super::numeric::write_numeric;
use super::timestamptz::Timestamptz;
use crate::StoredBar;

/// The number of columns of a staged row: four of the key, 25 values, `closed` and `scattered`.
const STAGED_COLUMN_COUNT: i16 = 31;

/// Bars, encoded as the input of `COPY … WITH (FORMAT binary)`.
pub(super) struct BarCopyBuffer {
    bytes: Vec<u8>,
    /// A buffer in which numbers are printed.
    number_text: String,
}

impl BarCopyBuffer {
    /// Returns a buffer without bars. Memory for `capacity` bars is allocated.
    pub(super) fn new(capacity: usize) -> Self {
        let mut bytes = Vec::with_capacity(32 + capacity * 512);
        bytes.extend_from_slice(b"PGCOPY\n\xff\r\n\0");
        // No flags, and no header extension.
        bytes.extend_from_slice(&[0; 8]);
        Self {
            bytes,
            number_text: String::new(),
        }
    }

    /// Appends a bar, with whether it goes to `scattered_bars`.
    pub(super) fn push_bar(
        &mut self,
        stored: &StoredBar,
        is_scattered: bool,
    ) -> Result<(), DatabaseError> {
        let (instrument, row) = (&stored.instrument, &stored.row);
        self.bytes
            .extend_from_slice(&STAGED_COLUMN_COUNT.to_be_bytes());
        self.push_field(instrument.venue().as_bytes());
        self.push_field(instrument.symbol().as_bytes());
        self.push_field(&interval_seconds(row.window.interval).to_be_bytes());
        self.push_field(&Timestamptz::try_from_ns(row.window.start_ns)?.to_be_bytes());
        let bar = &row.bar;
        self.push_numeric(&bar.open.price);
        self.push_numeric(&bar.high);
        self.push_numeric(&bar.low);
        self.push_numeric(&bar.close.price);
        self.push_numeric(&bar.volume);
        self.push_numeric(&bar.buy_volume);
        self.push_numeric(&bar.sell_volume);
        self.push_numeric(&bar.notional);
        self.push_u64(bar.trades);
        self.push_u64(row.revision);
        self.push_position(row.through);
        self.push_edge_trade(&bar.open);
        self.push_edge_trade(&bar.close);
        self.push_field(&bar.first_append_ns.to_be_bytes());
        self.push_u64(bar.admitted);
        self.push_field(&[u8::from(row.provable)]);
        self.push_field(&[u8::from(row.closed)]);
        self.push_field(&[u8::from(is_scattered)]);
        Ok(())
    }

    /// Ends the data and returns its bytes.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes.extend_from_slice(&(-1_i16).to_be_bytes());
        self.bytes
    }

    fn push_field(&mut self, value: &[u8]) {
        let length = i32::try_from(value.len()).expect("a value is short");
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(value);
    }

    fn push_nullable_text(&mut self, value: Option<&str>) {
        match value {
            Some(text) => self.push_field(text.as_bytes()),
            None => self.bytes.extend_from_slice(&(-1_i32).to_be_bytes()),
        }
    }

    fn push_u64(&mut self, value: u64) {
        self.push_field(&u64_bits_as_bigint(value).to_be_bytes());
    }

    fn push_numeric(&mut self, value: &impl Display) {
        use std::fmt::Write;
        self.number_text.clear();
        write!(self.number_text, "{value}").expect("writing to memory cannot fail");
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        write_numeric(&self.number_text, &mut self.bytes);
        let length = i32::try_from(self.bytes.len() - start - 4).expect("a number is short");
        self.bytes[start..start + 4].copy_from_slice(&length.to_be_bytes());
    }

    fn push_position(&mut self, position: Position) {
        self.push_u64(position.epoch);
        self.push_u64(position.offset);
    }

    fn push_edge_trade(&mut self, trade: &EdgeTrade) {
        self.push_field(&trade.time_ns.to_be_bytes());
        let id = trade.id.as_ref().map(ToString::to_string);
        self.push_nullable_text(id.as_deref());
        self.push_nullable_text(trade.scope.as_deref());
        self.push_position(trade.position);
    }
}
