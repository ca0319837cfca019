//! The plain format: a CSV whose header names its columns.
//!
//! Any of `time`, `price`, `quantity`, `side`, `id`, `scope`, `venue`, `symbol`, in any order;
//! `time` and `price` are needed. Time is integer nanoseconds or RFC 3339: a bare number's unit
//! is never guessed, as one wrong guess moves a trade by a thousand times its age. Side is `buy`
//! or `sell`. All but time and price may be empty.

use market::{Side, Trade, parse_time};

use crate::cells::{Cells, LineError, MOST_CELLS, decimal, id, integer, quantity, utf8};

/// Every column, in the order of [`Columns::places`].
pub(crate) const NAMES: [&str; MOST_CELLS] = [
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

/// The longest scope, in bytes.
const SCOPE_LIMIT: usize = 64;

/// Which column stands where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Columns {
    /// By the order of [`NAMES`]; a column that is not there is where every line is empty.
    places: [usize; MOST_CELLS],
    count: usize,
}

/// A trade, and the names that its line gives; empty where it gives none.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    pub(crate) trade: Trade,
    pub(crate) venue: &'a [u8],
    pub(crate) symbol: &'a [u8],
}

/// Why a first line is no header of the plain format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HeaderError {
    /// A name that the format does not have.
    #[error("\"{name}\" is not one of the columns {}", NAMES.join(", "))]
    Unknown {
        /// As the header has it.
        name: String,
    },
    /// The same name again.
    #[error("column {name} is named twice")]
    Twice {
        /// Which.
        name: &'static str,
    },
    /// A column that every tape needs.
    #[error("column {name} is missing; time and price are needed")]
    Missing {
        /// Which.
        name: &'static str,
    },
}

impl Columns {
    /// Reads a header.
    pub(crate) fn of(header: &Cells<'_>) -> Result<Self, HeaderError> {
        let mut places = [usize::MAX; MOST_CELLS];
        for (place, cell) in header.iter().enumerate() {
            let column = NAMES.iter().position(|name| name.as_bytes() == cell);
            let column = column.ok_or_else(|| HeaderError::Unknown {
                name: cell.escape_ascii().to_string().chars().take(40).collect(),
            })?;
            if places[column] != usize::MAX {
                return Err(HeaderError::Twice {
                    name: NAMES[column],
                });
            }
            places[column] = place;
        }
        if header.count() > MOST_CELLS {
            return Err(HeaderError::Unknown {
                name: format!("column {}", MOST_CELLS + 1),
            });
        }
        for column in [TIME, PRICE] {
            if places[column] == usize::MAX {
                return Err(HeaderError::Missing {
                    name: NAMES[column],
                });
            }
        }
        Ok(Self {
            places,
            count: header.count(),
        })
    }

    /// Whether lines may have ids.
    pub(crate) const fn have_id(&self) -> bool {
        self.places[ID] != usize::MAX
    }

    /// Whether lines may have a scope of ids.
    pub(crate) const fn have_scope(&self) -> bool {
        self.places[SCOPE] != usize::MAX
    }

    /// Whether lines may name their symbol.
    pub(crate) const fn have_symbol(&self) -> bool {
        self.places[SYMBOL] != usize::MAX
    }

    /// Reads a line.
    pub(crate) fn parse<'a>(&self, cells: &Cells<'a>) -> Result<Row<'a>, LineError> {
        cells.expect(self.count)?;
        let cell = |column: usize| cells.get(self.places[column]);
        let given = |column: usize| Some(cell(column)).filter(|cell| !cell.is_empty());
        let trade = Trade {
            time_ns: time(cell(TIME))?,
            price: decimal("price", cell(PRICE))?,
            quantity: given(QUANTITY).map(quantity).transpose()?,
            side: given(SIDE).map(side).transpose()?,
            id: given(ID).map(id).transpose()?,
            scope: given(SCOPE).map(scope).transpose()?.map(Into::into),
            sender: None,
        };
        Ok(Row {
            trade,
            venue: cell(VENUE),
            symbol: cell(SYMBOL),
        })
    }
}

fn time(cell: &[u8]) -> Result<i64, LineError> {
    let wrong = || {
        let reason = "is not a time; integer nanoseconds since 1970, or RFC 3339 \
                      such as 2013-10-08T13:30:00.5Z, of the years 1970 to 2262 are expected";
        LineError::cell("time", cell, reason)
    };
    let time_ns = match integer(cell) {
        Some(time_ns) => time_ns.ok(),
        None if is_rfc3339(cell) => utf8("time", cell)
            .ok()
            .and_then(|text| parse_time(text).ok()),
        None => None,
    };
    time_ns.filter(|time_ns| *time_ns >= 0).ok_or_else(wrong)
}

/// Whether a text has the shape of [RFC 3339](https://www.rfc-editor.org/rfc/rfc3339). The
/// parser behind [`parse_time`] takes more than that, and a leap second for the one before it.
fn is_rfc3339(text: &[u8]) -> bool {
    let Some((date_time, rest)) = text.split_at_checked(19) else {
        return false;
    };
    let is_shaped = date_time
        .iter()
        .zip(b"0000-00-00T00:00:00")
        .all(|(byte, shape)| match shape {
            b'0' => byte.is_ascii_digit(),
            b'T' => matches!(byte, b'T' | b't'),
            _ => byte == shape,
        });
    let rest = rest.strip_prefix(b".").map_or(rest, |fraction| {
        let end = fraction.iter().position(|byte| !byte.is_ascii_digit());
        // A point without digits leaves itself, which no offset begins with.
        end.filter(|end| *end > 0)
            .map_or(rest, |end| &fraction[end..])
    });
    is_shaped && &date_time[17..] != b"60" && is_offset(rest)
}

fn is_offset(text: &[u8]) -> bool {
    match text {
        b"Z" | b"z" => true,
        [b'+' | b'-', h1, h2, b':', m1, m2] => {
            let is_digits = [h1, h2, m1, m2].into_iter().all(u8::is_ascii_digit);
            is_digits && (*h1, *h2) <= (b'2', b'3') && *m1 <= b'5'
        }
        _ => false,
    }
}

fn side(cell: &[u8]) -> Result<Side, LineError> {
    match cell {
        b"buy" => Ok(Side::Buy),
        b"sell" => Ok(Side::Sell),
        _ => {
            let reason = "is not a side; buy, sell or nothing is expected";
            Err(LineError::cell("side", cell, reason))
        }
    }
}

fn scope(cell: &[u8]) -> Result<&str, LineError> {
    if cell.len() > SCOPE_LIMIT {
        let reason = format!("has {} bytes; 1 to {SCOPE_LIMIT} are expected", cell.len());
        return Err(LineError::cell("scope", cell, reason));
    }
    utf8("scope", cell)
}

#[cfg(test)]
mod tests;
