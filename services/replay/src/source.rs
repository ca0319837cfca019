//! The trades of one tape, in its order.

use std::io;
use std::sync::Arc;

use market::{IdScheme, IdScope, SenderId, Trade};

use crate::cells::{Cells, LineError, Scratch};
use crate::faults::Faults;
use crate::format::{Format, FormatChoice};
use crate::lines::{LINE_LIMIT_BYTES, Line, Lines};
use crate::names::{Defaults, Names};
use crate::plain::Row;
use crate::tape::Tape;
use crate::unpack::{BytesRead, Unpacked, unpack};

/// How the venue numbers its trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Numbering {
    /// How.
    pub(crate) scheme: IdScheme,
    /// Within what.
    pub(crate) scope: IdScope,
}

/// A trade of a tape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parsed {
    /// The trade.
    pub(crate) trade: Trade,
    /// The number of its venue and symbol in [`Names`].
    pub(crate) listing: u32,
    /// Its line, from 1.
    pub(crate) line: u64,
}

/// Reads the trades of one tape.
pub(crate) struct Source {
    place: usize,
    lines: Lines<Unpacked>,
    /// The first line, where it is a trade.
    first: Option<(u64, Vec<u8>)>,
    format: Option<Format>,
    defaults: Defaults,
    digest: [u8; 16],
    /// Whether ids identify anything.
    keeps_ids: bool,
    /// The scope of ids in lines that name none.
    file_scope: Option<Arc<str>>,
    scratch: Scratch,
    last: Option<Last>,
}

/// What the last line named, as the next one mostly names the same.
struct Last {
    venue: Vec<u8>,
    symbol: Vec<u8>,
    listing: u32,
}

/// Why a tape cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    /// It cannot be read or unpacked.
    #[error(transparent)]
    Unreadable(#[from] io::Error),
    /// Its first line cannot be understood.
    #[error("line {line} {reason}")]
    FirstLine {
        /// Which, from 1: empty lines are passed over.
        line: u64,
        /// Why.
        reason: String,
    },
    /// No line can name a symbol, and neither did anybody else.
    #[error("its name does not begin with a symbol; --symbol would say it")]
    NoSymbol,
    /// Ids are unique within an exchange, and no line can name one.
    #[error("it has no column scope, which --id-scope exchange needs")]
    NoScope,
}

impl Source {
    /// Opens a tape, the one at `place`, and reads its first line.
    pub(crate) fn open(
        tape: &Tape,
        place: usize,
        choice: FormatChoice,
        defaults: Defaults,
        read: &BytesRead,
    ) -> Result<Self, SourceError> {
        let mut source = Self {
            place,
            lines: Lines::new(unpack(tape.open()?, read)?),
            first: None,
            format: None,
            defaults,
            digest: tape.digest,
            keeps_ids: true,
            file_scope: None,
            scratch: Scratch::default(),
            last: None,
        };
        source.read_first(choice)?;
        let names_symbols = match source.format {
            Some(Format::Plain(columns)) => columns.have_symbol(),
            Some(Format::Binance { .. }) => false,
            None => true,
        };
        if !names_symbols && source.defaults.symbol.is_none() {
            return Err(SourceError::NoSymbol);
        }
        Ok(source)
    }

    fn read_first(&mut self, choice: FormatChoice) -> Result<(), SourceError> {
        while let Some((number, line)) = self.lines.next()? {
            let wrong = |reason: String| SourceError::FirstLine {
                line: number,
                reason,
            };
            let bytes = match line {
                Line::Whole([]) => continue,
                Line::Whole(bytes) => bytes,
                Line::TooLong => return Err(wrong(too_long().to_string())),
            };
            let cells = Cells::split(bytes, &mut self.scratch);
            let cells = cells.map_err(|error| wrong(error.to_string()))?;
            let (format, is_header) =
                Format::detect(&cells, choice).map_err(|error| wrong(error.to_string()))?;
            self.format = Some(format);
            self.first = (!is_header).then(|| (number, bytes.to_vec()));
            break;
        }
        Ok(())
    }

    /// How its venue is taken to number trades; none for a tape without lines.
    pub(crate) fn id_scheme(&self) -> Option<IdScheme> {
        self.format.map(|format| format.id_scheme())
    }

    /// Says how trades are numbered: before the first is read.
    ///
    /// # Errors
    /// [`SourceError::NoScope`]
    pub(crate) fn set_numbering(
        &mut self,
        numbering: Numbering,
        tape: &Tape,
    ) -> Result<(), SourceError> {
        let names_scopes = match self.format {
            Some(Format::Plain(columns)) => columns.have_scope(),
            Some(Format::Binance { .. }) => false,
            None => true,
        };
        self.keeps_ids = numbering.scheme != IdScheme::None;
        if numbering.scope == IdScope::Exchange && self.keeps_ids && !names_scopes {
            return Err(SourceError::NoScope);
        }
        self.file_scope = (numbering.scope == IdScope::File).then(|| tape.digest_hex().into());
        Ok(())
    }

    /// Its place on the command line.
    pub(crate) const fn place(&self) -> usize {
        self.place
    }

    /// The next trade. Lines that are none are told to `faults` and passed over.
    pub(crate) fn next(&mut self, names: &mut Names, faults: &mut Faults) -> Option<Parsed> {
        loop {
            let first = self.first.take();
            let (number, line) = match &first {
                Some((number, bytes)) => (*number, Line::Whole(bytes)),
                None => {
                    let before = self.lines.number();
                    match self.lines.next() {
                        Ok(line) => line?,
                        Err(error) => {
                            faults.add_loss(
                                self.place,
                                before + 1,
                                format!("is lost with all after it: {error}"),
                            );
                            return None;
                        }
                    }
                }
            };
            let line = match line {
                Line::Whole([]) => continue,
                Line::Whole(line) => Ok(line),
                Line::TooLong => Err(too_long()),
            };
            let format = self.format.expect("a line told the format");
            let parsed = line
                .and_then(|line| Cells::split(line, &mut self.scratch))
                .and_then(|cells| format.parse(&cells))
                .and_then(|row| {
                    let listing = listing_of(&mut self.last, names, &self.defaults, &row)?;
                    Ok((row.trade, listing))
                });
            match parsed {
                Ok((trade, listing)) => return Some(self.identified(trade, listing, number)),
                Err(error) => faults.add(self.place, number, error.to_string()),
            }
        }
    }

    /// Gives a trade what it is known by.
    fn identified(&self, mut trade: Trade, listing: u32, line: u64) -> Parsed {
        if !self.keeps_ids {
            trade.id = None;
        }
        if trade.id.is_none() {
            trade.sender = Some(SenderId {
                key: self.digest,
                index: line,
            });
        } else if trade.scope.is_none() {
            trade.scope.clone_from(&self.file_scope);
        }
        Parsed {
            trade,
            listing,
            line,
        }
    }
}

/// The number of what a line names.
fn listing_of(
    last: &mut Option<Last>,
    names: &mut Names,
    defaults: &Defaults,
    row: &Row<'_>,
) -> Result<u32, LineError> {
    if let Some(last) = last
        && last.venue == row.venue
        && last.symbol == row.symbol
    {
        return Ok(last.listing);
    }
    let listing = names.number(defaults, row.venue, row.symbol)?;
    *last = Some(Last {
        venue: row.venue.to_vec(),
        symbol: row.symbol.to_vec(),
        listing,
    });
    Ok(listing)
}

const fn too_long() -> LineError {
    LineError::TooLong {
        limit_bytes: LINE_LIMIT_BYTES,
    }
}

#[cfg(test)]
mod tests;
