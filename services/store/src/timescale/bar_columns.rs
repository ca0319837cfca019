//! A bar as columns, which are all that is stored of it: out by `COPY`, in by rows.

use std::fmt::Display;
use std::sync::Arc;

use market::{Bar, BarRow, Decimal, EdgeTrade, Interval, Position, TradeId, Window};
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::column::{Instant, bits, read_bits, read_number, read_start};
use super::failure::Failure;
use super::numeric::write_numeric;
use crate::StoredBar;

/// What names a bar.
pub(super) const KEY: &str = "venue, symbol, interval_s, start";

/// What a bar holds.
pub(super) const VALUES: [&str; 23] = [
    "open",
    "high",
    "low",
    "close",
    "volume",
    "buy_volume",
    "sell_volume",
    "notional",
    "trades",
    "revision",
    "through_epoch",
    "through_offset",
    "open_time_ns",
    "open_id",
    "open_scope",
    "open_epoch",
    "open_offset",
    "close_time_ns",
    "close_id",
    "close_scope",
    "close_epoch",
    "close_offset",
    "first_append_ns",
];

/// How many columns a row has on its way in: the key, the values, `closed`.
const STAGED_COLUMNS: i16 = 28;

/// The length of a window as a column.
pub(super) fn seconds(interval: Interval) -> i32 {
    let seconds = interval.length_ns() / market::SECOND_NS;
    i32::try_from(seconds).expect("no interval is longer than a day")
}

/// Rows as `COPY … WITH (FORMAT binary)` takes them
/// (<https://www.postgresql.org/docs/current/sql-copy.html>).
pub(super) struct Staged {
    bytes: Vec<u8>,
    /// Numbers are printed here first.
    text: String,
}

impl Staged {
    pub(super) fn new(rows: usize) -> Self {
        let mut bytes = Vec::with_capacity(32 + rows * 512);
        bytes.extend_from_slice(b"PGCOPY\n\xff\r\n\0");
        // No flags, and nothing more in the header.
        bytes.extend_from_slice(&[0; 8]);
        Self {
            bytes,
            text: String::new(),
        }
    }

    /// Adds a bar.
    pub(super) fn push(&mut self, bar: &StoredBar) -> Result<(), Failure> {
        let (row, bar) = (&bar.row, bar);
        self.bytes.extend_from_slice(&STAGED_COLUMNS.to_be_bytes());
        self.field(bar.instrument.venue().as_bytes());
        self.field(bar.instrument.symbol().as_bytes());
        self.field(&seconds(row.window.interval).to_be_bytes());
        self.field(&Instant::exactly(row.window.start_ns)?.to_be_bytes());
        let bar = &row.bar;
        self.number(&bar.open.price);
        self.number(&bar.high);
        self.number(&bar.low);
        self.number(&bar.close.price);
        self.number(&bar.volume);
        self.number(&bar.buy_volume);
        self.number(&bar.sell_volume);
        self.number(&bar.notional);
        self.bits(bar.trades);
        self.bits(row.revision);
        self.position(row.through);
        self.edge(&bar.open);
        self.edge(&bar.close);
        self.field(&bar.first_append_ns.to_be_bytes());
        self.field(&[u8::from(row.closed)]);
        Ok(())
    }

    /// The bytes of all rows.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes.extend_from_slice(&(-1_i16).to_be_bytes());
        self.bytes
    }

    fn field(&mut self, value: &[u8]) {
        let length = i32::try_from(value.len()).expect("a value is short");
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(value);
    }

    fn nullable(&mut self, value: Option<&str>) {
        match value {
            Some(text) => self.field(text.as_bytes()),
            None => self.bytes.extend_from_slice(&(-1_i32).to_be_bytes()),
        }
    }

    fn bits(&mut self, value: u64) {
        self.field(&bits(value).to_be_bytes());
    }

    fn number(&mut self, value: &impl Display) {
        use std::fmt::Write;
        self.text.clear();
        write!(self.text, "{value}").expect("writing to memory cannot fail");
        let length = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        write_numeric(&self.text, &mut self.bytes);
        let written = i32::try_from(self.bytes.len() - length - 4).expect("a number is short");
        self.bytes[length..length + 4].copy_from_slice(&written.to_be_bytes());
    }

    fn position(&mut self, position: Position) {
        self.bits(position.epoch);
        self.bits(position.offset);
    }

    fn edge(&mut self, edge: &EdgeTrade) {
        self.field(&edge.time_ns.to_be_bytes());
        let id = edge.id.as_ref().map(ToString::to_string);
        self.nullable(id.as_deref());
        self.nullable(edge.scope.as_deref());
        self.position(edge.position);
    }
}

/// Reads a bar: from the column `first` on `interval_s`, `start`, [`VALUES`] and `closed`.
pub(super) fn read(row: &PgRow, first: usize) -> Result<BarRow, Failure> {
    let value = first + 2;
    let seconds: i32 = row.try_get(first)?;
    let interval = Interval::ALL
        .into_iter()
        .find(|interval| self::seconds(*interval) == seconds)
        .ok_or_else(|| Failure::malformed("interval", seconds))?;
    Ok(BarRow {
        window: Window {
            interval,
            start_ns: read_start(row, first + 1)?,
        },
        bar: Bar {
            open: edge(row, read_number(row, value, "open")?, value + 12)?,
            high: read_number(row, value + 1, "high")?,
            low: read_number(row, value + 2, "low")?,
            close: edge(row, read_number(row, value + 3, "close")?, value + 17)?,
            volume: read_number(row, value + 4, "volume")?,
            buy_volume: read_number(row, value + 5, "buy_volume")?,
            sell_volume: read_number(row, value + 6, "sell_volume")?,
            notional: read_number(row, value + 7, "notional")?,
            trades: read_bits(row, value + 8)?,
            first_append_ns: row.try_get(value + 22)?,
        },
        closed: row.try_get(value + VALUES.len())?,
        revision: read_bits(row, value + 9)?,
        through: position(row, value + 10)?,
    })
}

fn position(row: &PgRow, first: usize) -> Result<Position, Failure> {
    Ok(Position {
        epoch: read_bits(row, first)?,
        offset: read_bits(row, first + 1)?,
    })
}

/// The price of an edge is with the other prices.
fn edge(row: &PgRow, price: Decimal, first: usize) -> Result<EdgeTrade, Failure> {
    let id: Option<&str> = row.try_get(first + 1)?;
    let scope: Option<&str> = row.try_get(first + 2)?;
    Ok(EdgeTrade {
        time_ns: row.try_get(first)?,
        id: id.map(read_id).transpose()?,
        scope: scope.map(Arc::from),
        position: position(row, first + 3)?,
        price,
    })
}

/// An id as a text.
pub(super) fn read_id(text: &str) -> Result<TradeId, Failure> {
    TradeId::parse(text).map_err(|error| Failure::malformed("id", error))
}
