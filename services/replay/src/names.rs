//! The venues and symbols of a run, each known by a small number.

use std::collections::HashMap;
use std::str::FromStr;

use market::{NameError, Symbol, Venue};

use crate::cells::{LineError, utf8};

/// A symbol of a venue.
#[derive(Debug, Clone)]
pub(crate) struct Listing {
    /// The venue's number.
    pub(crate) venue: u32,
    /// The symbol's name.
    pub(crate) symbol: Symbol,
}

/// What a tape's lines mean where they do not name it themselves.
#[derive(Debug, Clone)]
pub(crate) struct Defaults {
    /// The venue.
    pub(crate) venue: Venue,
    /// The symbol, where one is known.
    pub(crate) symbol: Option<Symbol>,
}

/// The venues and symbols of a run.
#[derive(Debug, Default)]
pub(crate) struct Names {
    venues: Vec<Venue>,
    listings: Vec<Listing>,
    known: HashMap<(Venue, Symbol), u32>,
}

impl Names {
    /// The number of what a line names; `venue` and `symbol` are empty where it does not.
    pub(crate) fn number(
        &mut self,
        defaults: &Defaults,
        venue: &[u8],
        symbol: &[u8],
    ) -> Result<u32, LineError> {
        let venue = match venue {
            [] => defaults.venue.clone(),
            name => parse("venue", name)?,
        };
        let symbol = match (symbol, &defaults.symbol) {
            ([], Some(symbol)) => symbol.clone(),
            ([], None) => {
                let reason = "names no symbol; --symbol would say it for every such line";
                return Err(LineError::cell("symbol", symbol, reason));
            }
            (name, _) => parse("symbol", name)?,
        };
        Ok(self.number_of(venue, symbol))
    }

    fn number_of(&mut self, venue: Venue, symbol: Symbol) -> u32 {
        let next = u32::try_from(self.listings.len()).expect("names fit in memory");
        let key = (venue, symbol);
        if let Some(number) = self.known.get(&key) {
            return *number;
        }
        let place = self.venues.iter().position(|known| *known == key.0);
        let place = place.unwrap_or_else(|| {
            self.venues.push(key.0.clone());
            self.venues.len() - 1
        });
        self.listings.push(Listing {
            venue: u32::try_from(place).expect("names fit in memory"),
            symbol: key.1.clone(),
        });
        self.known.insert(key, next);
        next
    }

    /// A venue by its number.
    pub(crate) fn venue(&self, number: u32) -> &Venue {
        &self.venues[number as usize]
    }

    /// What a number stands for.
    pub(crate) fn listing(&self, number: u32) -> &Listing {
        &self.listings[number as usize]
    }

    /// How many symbols of venues there are.
    pub(crate) const fn len(&self) -> usize {
        self.listings.len()
    }
}

fn parse<T: FromStr<Err = NameError>>(column: &'static str, name: &[u8]) -> Result<T, LineError> {
    let parsed = utf8(column, name)?.parse();
    parsed.map_err(|error: NameError| LineError::cell(column, name, error.to_string()))
}
