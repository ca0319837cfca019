//! The cells of one line.
//!
//! A cell does not span lines, so a stray quote damages its own line only.

use crate::parsed_trade_line::TradeLineError;

/// The most cells that a format has.
pub(crate) const MAX_CELLS: usize = 8;

/// The cells of one line. The first [`MAX_CELLS`] are kept; all are counted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LineCells<'a> {
    cells: [&'a [u8]; MAX_CELLS],
    count: usize,
}

impl<'a> LineCells<'a> {
    /// Splits a line at its commas. `buffer` stores the content of quoted cells.
    pub(crate) fn split(
        line: &'a [u8],
        buffer: &'a mut UnquoteBuffer,
    ) -> Result<Self, TradeLineError> {
        let mut cells = Self {
            cells: [&[]; MAX_CELLS],
            count: 0,
        };
        if line.contains(&b'"') {
            buffer.unquote_line(line)?;
            let mut begin = 0;
            for end in &buffer.cell_ends {
                cells.push(&buffer.bytes[begin..*end]);
                begin = *end;
            }
        } else {
            line.split(|byte| *byte == b',')
                .for_each(|cell| cells.push(cell));
        }
        Ok(cells)
    }

    fn push(&mut self, cell: &'a [u8]) {
        if let Some(slot) = self.cells.get_mut(self.count) {
            *slot = cell;
        }
        self.count += 1;
    }

    /// Returns the number of cells of the line.
    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    /// Returns the kept cell at `index`; empty if there is none.
    pub(crate) fn cell_or_empty(&self, index: usize) -> &'a [u8] {
        self.cells.get(index).copied().unwrap_or_default()
    }

    /// Returns the cells that are kept.
    pub(crate) fn kept_cells(&self) -> impl Iterator<Item = &'a [u8]> + '_ {
        self.cells.iter().take(self.count).copied()
    }

    /// Returns an error unless the line has `expected` cells.
    pub(crate) const fn check_cell_count(&self, expected: usize) -> Result<(), TradeLineError> {
        if self.count == expected {
            return Ok(());
        }
        Err(TradeLineError::CellCount {
            found: self.count,
            expected,
        })
    }
}

/// A buffer for the text of a line's quoted cells, without the quotation marks. It is reused for
/// every line.
#[derive(Debug, Default)]
pub(crate) struct UnquoteBuffer {
    bytes: Vec<u8>,
    cell_ends: Vec<usize>,
}

impl UnquoteBuffer {
    /// Splits a line whose cells may be quoted, as RFC 4180 describes. In a cell that does not
    /// begin with a quote, a quote is a character like others.
    fn unquote_line(&mut self, line: &[u8]) -> Result<(), TradeLineError> {
        self.bytes.clear();
        self.cell_ends.clear();
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
            self.cell_ends.push(self.bytes.len());
            match rest.split_first() {
                None => return Ok(()),
                Some((b',', next)) => rest = next,
                Some(_) => return Err(TradeLineError::UnclosedQuote),
            }
        }
    }

    /// Stores the quoted cell that begins after its opening quote at `rest`. Returns what follows
    /// its closing quote.
    fn unquote_cell<'a>(&mut self, mut rest: &'a [u8]) -> Result<&'a [u8], TradeLineError> {
        loop {
            let quote = rest.iter().position(|byte| *byte == b'"');
            let quote = quote.ok_or(TradeLineError::UnclosedQuote)?;
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

#[cfg(test)]
mod tests;
