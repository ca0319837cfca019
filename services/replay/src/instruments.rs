//! The venues and symbols of a run, each with a small index.

use std::collections::HashMap;
use std::str::FromStr;

use market::{Symbol, TextError, Venue};

use crate::parsed_trade_line::TradeLineError;
use crate::values::parse_utf8;

/// A symbol of a venue.
#[derive(Debug, Clone)]
pub(crate) struct SymbolWithVenueIndex {
    /// The index of its venue in the [`InstrumentTable`].
    pub(crate) venue_index: u32,
    pub(crate) symbol: Symbol,
}

/// The venue and symbol of lines that do not name their own.
#[derive(Debug, Clone)]
pub(crate) struct LineInstrumentDefaults {
    pub(crate) venue: Venue,
    /// `None` if neither the command line nor the file's name has one.
    pub(crate) symbol: Option<Symbol>,
}

/// The venues and symbols of a run, by index.
#[derive(Debug, Default)]
pub(crate) struct InstrumentTable {
    venues: Vec<Venue>,
    instruments: Vec<SymbolWithVenueIndex>,
    indexes: HashMap<(Venue, Symbol), u32>,
}

impl InstrumentTable {
    /// Returns the index of the instrument that a line names, and adds it if it is new. An empty
    /// `venue` or `symbol` means the default.
    pub(crate) fn find_or_add(
        &mut self,
        defaults: &LineInstrumentDefaults,
        venue: &[u8],
        symbol: &[u8],
    ) -> Result<u32, TradeLineError> {
        let venue = match venue {
            [] => defaults.venue.clone(),
            name => parse_name_cell("venue", name)?,
        };
        let symbol = match (symbol, &defaults.symbol) {
            ([], Some(symbol)) => symbol.clone(),
            ([], None) => {
                let reason = "names no symbol; --symbol sets the symbol of such lines";
                return Err(TradeLineError::bad_cell("symbol", symbol, reason));
            }
            (name, _) => parse_name_cell("symbol", name)?,
        };
        Ok(self.find_or_add_instrument(venue, symbol))
    }

    fn find_or_add_instrument(&mut self, venue: Venue, symbol: Symbol) -> u32 {
        let next = u32::try_from(self.instruments.len()).expect("instruments fit in memory");
        let key = (venue, symbol);
        if let Some(index) = self.indexes.get(&key) {
            return *index;
        }
        let venue_index = self.venues.iter().position(|venue| *venue == key.0);
        let venue_index = venue_index.unwrap_or_else(|| {
            self.venues.push(key.0.clone());
            self.venues.len() - 1
        });
        self.instruments.push(SymbolWithVenueIndex {
            venue_index: u32::try_from(venue_index).expect("venues fit in memory"),
            symbol: key.1.clone(),
        });
        self.indexes.insert(key, next);
        next
    }

    /// Returns the venue with this index.
    pub(crate) fn venue(&self, venue_index: u32) -> &Venue {
        &self.venues[venue_index as usize]
    }

    /// Returns the instrument with this index.
    pub(crate) fn instrument(&self, instrument_index: u32) -> &SymbolWithVenueIndex {
        &self.instruments[instrument_index as usize]
    }

    /// Returns the number of instruments.
    pub(crate) const fn len(&self) -> usize {
        self.instruments.len()
    }
}

fn parse_name_cell<T: FromStr<Err = TextError>>(
    column: &'static str,
    cell: &[u8],
) -> Result<T, TradeLineError> {
    let name = parse_utf8(column, cell)?.parse();
    name.map_err(|error: TextError| TradeLineError::bad_cell(column, cell, error.to_string()))
}
