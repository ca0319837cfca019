//! The cells of one line, and the values that every format writes alike.
//!
//! A line is a record: a cell does not span lines, so a stray quote spoils its own line only.

use market::{Decimal, TradeId};

/// The most cells that a format has.
pub(crate) const MOST_CELLS: usize = 8;

/// How much of a cell a message shows, in bytes.
const SHOWN_BYTES: usize = 40;

/// Why a line is not a trade.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LineError {
    /// Too few or too many cells.
    #[error("has {found} cells; {expected} are expected")]
    Columns {
        /// How many it has.
        found: usize,
        /// How many the format, or the header, has.
        expected: usize,
    },
    /// A quoted cell that does not end, or that goes on after its end.
    #[error("has a quoted cell that does not end with a quote before a comma or the line's end")]
    Quote,
    /// Longer than any trade.
    #[error("is longer than {limit_bytes} bytes; a trade is much shorter")]
    TooLong {
        /// What a line may have.
        limit_bytes: usize,
    },
    /// One cell is at fault.
    #[error("{column} {found} {reason}")]
    Cell {
        /// The column's name.
        column: &'static str,
        /// What the cell holds, quoted and cut.
        found: String,
        /// What is wrong with it, and what would be right.
        reason: String,
    },
}

impl LineError {
    /// An error of the cell that holds `bytes`.
    pub(crate) fn cell(column: &'static str, bytes: &[u8], reason: impl Into<String>) -> Self {
        let shown = bytes.get(..SHOWN_BYTES).unwrap_or(bytes);
        let more = if shown.len() < bytes.len() { "…" } else { "" };
        Self::Cell {
            column,
            found: format!("\"{}\"{more}", shown.escape_ascii()),
            reason: reason.into(),
        }
    }
}

/// The cells of one line. Only the first [`MOST_CELLS`] are kept; all are counted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cells<'a> {
    kept: [&'a [u8]; MOST_CELLS],
    count: usize,
}

impl<'a> Cells<'a> {
    /// Splits a line at its commas. `scratch` takes the content of quoted cells.
    pub(crate) fn split(line: &'a [u8], scratch: &'a mut Scratch) -> Result<Self, LineError> {
        let mut cells = Self {
            kept: [&[]; MOST_CELLS],
            count: 0,
        };
        if line.contains(&b'"') {
            scratch.unquote(line)?;
            let mut begin = 0;
            for end in &scratch.ends {
                cells.push(&scratch.bytes[begin..*end]);
                begin = *end;
            }
        } else {
            line.split(|byte| *byte == b',')
                .for_each(|cell| cells.push(cell));
        }
        Ok(cells)
    }

    fn push(&mut self, cell: &'a [u8]) {
        if let Some(place) = self.kept.get_mut(self.count) {
            *place = cell;
        }
        self.count += 1;
    }

    /// How many cells the line has.
    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    /// A cell by its place; empty where there is none.
    pub(crate) fn get(&self, place: usize) -> &'a [u8] {
        self.kept.get(place).copied().unwrap_or_default()
    }

    /// The cells that were kept.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &'a [u8]> + '_ {
        self.kept.iter().take(self.count).copied()
    }

    /// Checks how many cells there are.
    pub(crate) const fn expect(&self, expected: usize) -> Result<(), LineError> {
        if self.count == expected {
            return Ok(());
        }
        Err(LineError::Columns {
            found: self.count,
            expected,
        })
    }
}

/// Where the content of quoted cells is put together; kept from line to line.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Scratch {
    /// Splits a line in which some cells may be quoted, as RFC 4180 has it; a quote within a
    /// cell that does not begin with one is a character like others.
    fn unquote(&mut self, line: &[u8]) -> Result<(), LineError> {
        self.bytes.clear();
        self.ends.clear();
        let mut rest = line;
        loop {
            rest = match rest.split_first() {
                Some((b'"', quoted)) => self.unquote_cell(quoted)?,
                _ => {
                    let comma = rest.iter().position(|byte| *byte == b',');
                    let (cell, rest) = rest.split_at(comma.unwrap_or(rest.len()));
                    self.bytes.extend_from_slice(cell);
                    rest
                }
            };
            self.ends.push(self.bytes.len());
            match rest.split_first() {
                None => return Ok(()),
                Some((b',', next)) => rest = next,
                Some(_) => return Err(LineError::Quote),
            }
        }
    }

    /// Takes a cell whose opening quote is passed, and gives what follows its closing quote.
    fn unquote_cell<'a>(&mut self, mut rest: &'a [u8]) -> Result<&'a [u8], LineError> {
        loop {
            let quote = rest.iter().position(|byte| *byte == b'"');
            let quote = quote.ok_or(LineError::Quote)?;
            self.bytes.extend_from_slice(&rest[..quote]);
            rest = &rest[quote + 1..];
            match rest.split_first() {
                Some((b'"', after)) => {
                    self.bytes.push(b'"');
                    rest = after;
                }
                _ => return Ok(rest),
            }
        }
    }
}

/// A decimal without an exponent: archives write none, and one in a tape is a damaged line.
pub(crate) fn decimal(column: &'static str, cell: &[u8]) -> Result<Decimal, LineError> {
    if let Some(position) = cell.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        let reason = format!("is not a plain decimal number: exponent at position {position}");
        return Err(LineError::cell(column, cell, reason));
    }
    Decimal::parse(cell).map_err(|error| LineError::cell(column, cell, error.to_string()))
}

/// A quantity, which is not below nought.
pub(crate) fn quantity(cell: &[u8]) -> Result<Decimal, LineError> {
    let quantity = decimal("quantity", cell)?;
    if quantity.is_negative() {
        let reason = "is negative; nought or more is expected";
        return Err(LineError::cell("quantity", cell, reason));
    }
    Ok(quantity)
}

/// An id of visible ASCII characters.
pub(crate) fn id(cell: &[u8]) -> Result<TradeId, LineError> {
    let text = utf8("id", cell)?;
    TradeId::parse(text).map_err(|error| LineError::cell("id", cell, error.to_string()))
}

/// Whole numbers, possibly negative.
pub(crate) fn integer(cell: &[u8]) -> Option<Result<i64, std::num::ParseIntError>> {
    let digits = cell.strip_prefix(b"-").unwrap_or(cell);
    let is_integer = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let text = is_integer.then(|| std::str::from_utf8(cell).ok()).flatten();
    text.map(str::parse)
}

/// A cell as text.
pub(crate) fn utf8<'a>(column: &'static str, cell: &'a [u8]) -> Result<&'a str, LineError> {
    std::str::from_utf8(cell).map_err(|error| {
        let reason = format!("is not UTF-8 at byte {}", error.valid_up_to());
        LineError::cell(column, cell, reason)
    })
}

#[cfg(test)]
mod tests;
