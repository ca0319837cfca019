//! The plain format: a CSV whose header names its columns.
//!
//! The columns are `time`, `price`, `quantity`, `side`, `id`, `scope`, `venue` and `symbol`, in any
//! order; `time` and `price` are required. A time is integer nanoseconds or RFC 3339: the unit of
//! a bare number is never guessed, since a wrong guess moves a trade by a thousand times its age.
//! A side is `buy` or `sell`. All cells but time and price may be empty.

mod time;

use market::{Side, TextKind, Trade, validate_text};

use self::time::parse_time_cell_ns;
use crate::cells::{LineCells, MAX_CELLS};
use crate::parsed_trade_line::{ParsedTradeLine, TradeLineError};
use crate::values::{parse_decimal, parse_quantity, parse_trade_id, parse_utf8};

/// The name of every column. [`PlainFormatColumns::cell_indexes`] has the same order.
pub(crate) const COLUMN_NAMES: [&str; MAX_CELLS] = [
    "time", "price", "quantity", "side", "id", "scope", "venue", "symbol",
];
const TIME: usize = 0;
const PRICE: usize = 1;
const QUANTITY: usize = 2;
const SIDE: usize = 3;
const ID: usize = 4;
const SCOPE: usize = 5;
const VENUE: usize = 6;
const SYMBOL: usize = 7;

/// The index of a column that the header does not name. [`LineCells::cell_or_empty`] returns an
/// empty cell.
const ABSENT: usize = usize::MAX;

/// Which columns a header names, and in which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PlainFormatColumns {
    /// The index of each column's cell, by the order of [`COLUMN_NAMES`]; or [`ABSENT`].
    cell_indexes: [usize; MAX_CELLS],
    count: usize,
}

/// Why a first line is not a header of the plain format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PlainHeaderError {
    /// The format has no column of this name.
    #[error("\"{name}\" is not one of the columns {}", COLUMN_NAMES.join(", "))]
    Unknown {
        /// The name, as the header writes it.
        name: String,
    },
    /// A column is named twice.
    #[error("column {name} is named twice")]
    Duplicate {
        /// The column's name.
        name: &'static str,
    },
    /// A required column is missing.
    #[error("column {name} is missing; time and price are needed")]
    Missing {
        /// The column's name.
        name: &'static str,
    },
}

impl PlainFormatColumns {
    /// Parses a header.
    pub(crate) fn from_header(header: &LineCells<'_>) -> Result<Self, PlainHeaderError> {
        let mut cell_indexes = [ABSENT; MAX_CELLS];
        for (index, cell) in header.kept_cells().enumerate() {
            let column = COLUMN_NAMES.iter().position(|name| name.as_bytes() == cell);
            let column = column.ok_or_else(|| PlainHeaderError::Unknown {
                name: cell.escape_ascii().to_string().chars().take(40).collect(),
            })?;
            if cell_indexes[column] != ABSENT {
                return Err(PlainHeaderError::Duplicate {
                    name: COLUMN_NAMES[column],
                });
            }
            cell_indexes[column] = index;
        }
        if header.count() > MAX_CELLS {
            return Err(PlainHeaderError::Unknown {
                name: format!("column {}", MAX_CELLS + 1),
            });
        }
        for column in [TIME, PRICE] {
            if cell_indexes[column] == ABSENT {
                return Err(PlainHeaderError::Missing {
                    name: COLUMN_NAMES[column],
                });
            }
        }
        Ok(Self {
            cell_indexes,
            count: header.count(),
        })
    }

    /// Returns whether lines may have ids.
    pub(crate) const fn has_id_column(&self) -> bool {
        self.cell_indexes[ID] != ABSENT
    }

    /// Returns whether lines may have a scope of ids.
    pub(crate) const fn has_scope_column(&self) -> bool {
        self.cell_indexes[SCOPE] != ABSENT
    }

    /// Returns whether lines may name their symbol.
    pub(crate) const fn has_symbol_column(&self) -> bool {
        self.cell_indexes[SYMBOL] != ABSENT
    }

    /// Parses a line.
    pub(crate) fn parse_line<'a>(
        &self,
        cells: &LineCells<'a>,
    ) -> Result<ParsedTradeLine<'a>, TradeLineError> {
        cells.check_cell_count(self.count)?;
        let cell = |column: usize| cells.cell_or_empty(self.cell_indexes[column]);
        let optional = |column: usize| Some(cell(column)).filter(|cell| !cell.is_empty());
        let trade = Trade {
            time_ns: parse_time_cell_ns(cell(TIME))?,
            price: parse_decimal("price", cell(PRICE))?,
            quantity: optional(QUANTITY).map(parse_quantity).transpose()?,
            side: optional(SIDE).map(parse_side).transpose()?,
            id: optional(ID).map(parse_trade_id).transpose()?,
            scope: optional(SCOPE)
                .map(parse_scope)
                .transpose()?
                .map(Into::into),
            sender: None,
        };
        Ok(ParsedTradeLine {
            trade,
            venue: cell(VENUE),
            symbol: cell(SYMBOL),
        })
    }
}

fn parse_side(cell: &[u8]) -> Result<Side, TradeLineError> {
    match cell {
        b"buy" => Ok(Side::Buy),
        b"sell" => Ok(Side::Sell),
        _ => {
            let reason = "is not a side; buy, sell or nothing is expected";
            Err(TradeLineError::bad_cell("side", cell, reason))
        }
    }
}

fn parse_scope(cell: &[u8]) -> Result<&str, TradeLineError> {
    let text = parse_utf8("scope", cell)?;
    match validate_text(TextKind::Scope, text) {
        Ok(()) => Ok(text),
        Err(error) => Err(TradeLineError::bad_cell("scope", cell, error.to_string())),
    }
}

#[cfg(test)]
mod tests;
