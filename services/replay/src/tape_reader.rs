//! The trades of one tape, in its order.

use std::io;
use std::sync::Arc;

use market::{IdScheme, IdScope, Trade};

use crate::cells::{LineCells, UnquoteBuffer};
use crate::format::{DetectedFormat, TapeFormat, TapeFormatChoice};
use crate::id_scheme_and_scope::IdSchemeAndScope;
use crate::instruments::{InstrumentTable, LineInstrumentDefaults};
use crate::line_identity::LineIdentifier;
use crate::lines::{LINE_LIMIT_BYTES, LineReader, TapeLine};
use crate::parsed_trade_line::{ParsedTradeLine, TradeLineError};
use crate::problems::LineProblems;
use crate::tape::Tape;
use crate::unpack::{ByteCounter, UnpackedReader, open_unpacked};

/// A trade of a tape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TapeTrade {
    pub(crate) trade: Trade,
    /// The index of its venue and symbol in the [`InstrumentTable`].
    pub(crate) instrument_index: u32,
    /// Its line, from 1.
    pub(crate) line: u64,
}

/// Reads the trades of one tape.
pub(crate) struct TapeReader {
    tape_index: usize,
    lines: LineReader<UnpackedReader>,
    /// The first line and its number, if it is not a header.
    first_line: Option<(u64, Vec<u8>)>,
    /// `None` if the tape has no lines.
    format: Option<TapeFormat>,
    instruments: LineInstrumentFinder,
    /// Identifies the trades without ids.
    line_identifier: LineIdentifier,
    /// Whether trades are known by the ids of their lines.
    keeps_ids: bool,
    /// The scope of ids in lines that name none.
    file_scope: Option<Arc<str>>,
    unquote_buffer: UnquoteBuffer,
}

/// Finds the instruments of a tape's lines.
struct LineInstrumentFinder {
    defaults: LineInstrumentDefaults,
    /// What the last line named, since the next one mostly names the same.
    last: Option<NamedInstrument>,
}

/// The names in a line, and the index of the instrument that they mean.
struct NamedInstrument {
    venue: Vec<u8>,
    symbol: Vec<u8>,
    index: u32,
}

/// Why a tape cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TapeError {
    /// The file cannot be read or unpacked.
    #[error(transparent)]
    Unreadable(#[from] io::Error),
    /// The first line shows no known format.
    #[error("line {line} {reason}")]
    FirstLine {
        /// The number of the first line that is not empty, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// Neither the lines, the command line nor the file's name have a symbol.
    #[error("its name does not begin with a symbol; set one with --symbol")]
    NoSymbol,
    /// Ids are unique within an exchange, and the lines do not name one.
    #[error("it has no column scope, which --id-scope exchange needs")]
    NoScope,
}

impl TapeReader {
    /// Opens a tape and reads its first line. `tape_index` is its index on the command line.
    pub(crate) fn open(
        tape: &Tape,
        tape_index: usize,
        choice: TapeFormatChoice,
        defaults: LineInstrumentDefaults,
        bytes_read: &ByteCounter,
    ) -> Result<Self, TapeError> {
        let has_default_symbol = defaults.symbol.is_some();
        let mut reader = Self {
            tape_index,
            lines: LineReader::new(open_unpacked(tape.open_file()?, bytes_read)?),
            first_line: None,
            format: None,
            instruments: LineInstrumentFinder {
                defaults,
                last: None,
            },
            line_identifier: LineIdentifier::default(),
            keeps_ids: true,
            file_scope: None,
            unquote_buffer: UnquoteBuffer::default(),
        };
        reader.read_first_line(choice)?;
        let names_symbols = match reader.format {
            Some(TapeFormat::Plain(columns)) => columns.has_symbol_column(),
            Some(TapeFormat::Binance { .. }) => false,
            None => true,
        };
        if !names_symbols && !has_default_symbol {
            return Err(TapeError::NoSymbol);
        }
        Ok(reader)
    }

    fn read_first_line(&mut self, choice: TapeFormatChoice) -> Result<(), TapeError> {
        while let Some((number, line)) = self.lines.next_line()? {
            let first_line_error = |reason: String| TapeError::FirstLine {
                line: number,
                reason,
            };
            let bytes = match line {
                TapeLine::Whole([]) => continue,
                TapeLine::Whole(bytes) => bytes,
                TapeLine::TooLong => {
                    return Err(first_line_error(line_too_long_error().to_string()));
                }
            };
            let cells = LineCells::split(bytes, &mut self.unquote_buffer);
            let cells = cells.map_err(|error| first_line_error(error.to_string()))?;
            let DetectedFormat { format, is_header } = TapeFormat::detect(&cells, choice)
                .map_err(|error| first_line_error(error.to_string()))?;
            self.format = Some(format);
            self.first_line = (!is_header).then(|| (number, bytes.to_vec()));
            break;
        }
        Ok(())
    }

    /// Returns the id scheme that the tape's venue is assumed to have; `None` for a tape without
    /// lines.
    pub(crate) fn default_id_scheme(&self) -> Option<IdScheme> {
        self.format.map(|format| format.default_id_scheme())
    }

    /// Sets how trades are numbered. Must be called before the first trade is read.
    ///
    /// # Errors
    /// [`TapeError::NoScope`]
    pub(crate) fn set_id_scheme_and_scope(
        &mut self,
        id_scheme_and_scope: IdSchemeAndScope,
        tape: &Tape,
    ) -> Result<(), TapeError> {
        let names_scopes = match self.format {
            Some(TapeFormat::Plain(columns)) => columns.has_scope_column(),
            Some(TapeFormat::Binance { .. }) => false,
            None => true,
        };
        self.keeps_ids = id_scheme_and_scope.scheme != IdScheme::None;
        if id_scheme_and_scope.scope == IdScope::Exchange && self.keeps_ids && !names_scopes {
            return Err(TapeError::NoScope);
        }
        self.file_scope =
            (id_scheme_and_scope.scope == IdScope::File).then(|| tape.digest_hex().into());
        Ok(())
    }

    /// Returns the index of the tape on the command line.
    pub(crate) const fn tape_index(&self) -> usize {
        self.tape_index
    }

    /// Returns the next trade. Lines that are not trades are added to `bad_lines` and skipped.
    pub(crate) fn next_trade(
        &mut self,
        table: &mut InstrumentTable,
        bad_lines: &mut LineProblems,
    ) -> Option<TapeTrade> {
        loop {
            let first_line = self.first_line.take();
            let next_line = match &first_line {
                Some((number, bytes)) => Some((*number, TapeLine::Whole(bytes))),
                None => next_line_or_record_loss(&mut self.lines, self.tape_index, bad_lines),
            };
            let Some((number, line)) = next_line else {
                // Other tapes may go on for long, and this one needs no memory any more.
                self.line_identifier = LineIdentifier::default();
                return None;
            };
            let line = match line {
                TapeLine::Whole([]) => continue,
                TapeLine::Whole(line) => Ok(line),
                TapeLine::TooLong => Err(line_too_long_error()),
            };
            let format = self.format.expect("a line has decided the format");
            let parsed = line
                .and_then(|line| LineCells::split(line, &mut self.unquote_buffer))
                .and_then(|cells| format.parse_line(&cells))
                .and_then(|parsed| {
                    let index = self
                        .instruments
                        .find_or_add_instrument_index(table, &parsed)?;
                    Ok((index, parsed.trade))
                });
            let identified = parsed.and_then(|(instrument_index, trade)| {
                let trade = self.with_trade_identity(trade, instrument_index)?;
                Ok((instrument_index, trade))
            });
            match identified {
                Ok((instrument_index, trade)) => {
                    return Some(TapeTrade {
                        trade,
                        instrument_index,
                        line: number,
                    });
                }
                Err(error) => bad_lines.add(self.tape_index, number, error.to_string()),
            }
        }
    }

    /// Sets the fields that identify a trade: its id and scope, or else the values of its line as
    /// the identity that its sender gives.
    fn with_trade_identity(
        &mut self,
        mut trade: Trade,
        instrument_index: u32,
    ) -> Result<Trade, TradeLineError> {
        if trade.id.is_none() || !self.keeps_ids {
            trade.sender = Some(self.line_identifier.identify(instrument_index, &trade)?);
            trade.id = None;
        } else if trade.scope.is_none() {
            trade.scope.clone_from(&self.file_scope);
        }
        Ok(trade)
    }
}

impl LineInstrumentFinder {
    /// Returns the index of the instrument that a line names.
    fn find_or_add_instrument_index(
        &mut self,
        table: &mut InstrumentTable,
        line: &ParsedTradeLine<'_>,
    ) -> Result<u32, TradeLineError> {
        if let Some(last) = &self.last
            && last.venue == line.venue
            && last.symbol == line.symbol
        {
            return Ok(last.index);
        }
        let index = table.find_or_add(&self.defaults, line.venue, line.symbol)?;
        self.last = Some(NamedInstrument {
            venue: line.venue.to_vec(),
            symbol: line.symbol.to_vec(),
            index,
        });
        Ok(index)
    }
}

/// Reads the next line. If that fails, adds the rest of the tape to `bad_lines` and returns `None`.
fn next_line_or_record_loss<'a>(
    lines: &'a mut LineReader<UnpackedReader>,
    tape_index: usize,
    bad_lines: &mut LineProblems,
) -> Option<(u64, TapeLine<'a>)> {
    let last_line_number = lines.last_line_number();
    match lines.next_line() {
        Ok(line) => line,
        Err(error) => {
            let reason = format!("is lost with all after it: {error}");
            bad_lines.add_lost_tape(tape_index, last_line_number + 1, reason);
            None
        }
    }
}

const fn line_too_long_error() -> TradeLineError {
    TradeLineError::TooLong {
        limit_bytes: LINE_LIMIT_BYTES,
    }
}

#[cfg(test)]
mod tests;
