//! What a line of a tape is: a trade, or the reason why it is not one.

use market::Trade;

/// The most bytes of a cell that a message shows.
const SHOWN_BYTES: usize = 40;

/// A trade, and the venue and symbol that its line names; empty if it names none.
#[derive(Debug)]
pub(crate) struct ParsedTradeLine<'a> {
    pub(crate) trade: Trade,
    pub(crate) venue: &'a [u8],
    pub(crate) symbol: &'a [u8],
}

/// Why a line is not a trade.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TradeLineError {
    /// The line has too few or too many cells.
    #[error("has {found} cells; {expected} are expected")]
    CellCount {
        /// The number of cells of the line.
        found: usize,
        /// The number of columns of the format or the header.
        expected: usize,
    },
    /// A quoted cell does not end, or goes on after its closing quote.
    #[error("has a quoted cell that does not end with a quote before a comma or the line's end")]
    UnclosedQuote,
    /// The line is longer than any trade.
    #[error("is longer than {limit_bytes} bytes; a trade is much shorter")]
    TooLong {
        /// The limit.
        limit_bytes: usize,
    },
    /// The line has no id, and it is no longer known how many equal lines came before it.
    #[error(
        "is older than the last {limit} lines; a tape without ids is sorted by time that far, \
         or holds fewer lines"
    )]
    TooOld {
        /// The number of lines that are remembered in any case.
        limit: usize,
    },
    /// One cell cannot be parsed.
    #[error("{column} {found} {reason}")]
    BadCell {
        /// The column's name.
        column: &'static str,
        /// The content of the cell, quoted and shortened.
        found: String,
        /// What is wrong with it, and what is expected.
        reason: String,
    },
}

impl TradeLineError {
    /// Creates the error of the cell that holds `bytes`.
    pub(crate) fn bad_cell(column: &'static str, bytes: &[u8], reason: impl Into<String>) -> Self {
        let shown = bytes.get(..SHOWN_BYTES).unwrap_or(bytes);
        let ellipsis = if shown.len() < bytes.len() { "…" } else { "" };
        Self::BadCell {
            column,
            found: format!("\"{}\"{ellipsis}", shown.escape_ascii()),
            reason: reason.into(),
        }
    }
}
