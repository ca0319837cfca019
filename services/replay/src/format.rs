//! The format of a tape, which its first line decides.

use std::str::FromStr;

use market::IdScheme;

use crate::binance;
use crate::cells::LineCells;
use crate::parsed_trade_line::{ParsedTradeLine, TradeLineError};
use crate::plain::{COLUMN_NAMES, PlainFormatColumns, PlainHeaderError};

/// The format that the command line chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum TapeFormatChoice {
    /// The one that the first line shows.
    #[default]
    Auto,
    /// Binance's trade archives.
    Binance,
    /// The plain format.
    Plain,
}

/// The format of a tape's lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TapeFormat {
    /// Binance's trade archives, with this number of columns.
    Binance { columns: usize },
    /// The plain format.
    Plain(PlainFormatColumns),
}

/// Why the first line shows no known format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TapeFormatError {
    /// It is not a header of the plain format.
    #[error("is not a header of the plain format: {0}")]
    Header(#[from] PlainHeaderError),
    /// It is neither a known header nor a trade of an archive.
    #[error(
        "is neither a trade of a Binance archive (7 cells, the first a number) nor a header \
         that names columns of the plain format ({})", COLUMN_NAMES.join(", ")
    )]
    Unknown,
}

/// What the first line of a tape shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DetectedFormat {
    /// The format of the tape's lines.
    pub(crate) format: TapeFormat,
    /// Whether the first line is a header.
    pub(crate) is_header: bool,
}

impl TapeFormat {
    /// Detects the format from the first line.
    pub(crate) fn detect(
        first: &LineCells<'_>,
        choice: TapeFormatChoice,
    ) -> Result<DetectedFormat, TapeFormatError> {
        let is_header = first.kept_cells().all(looks_like_column_name);
        let is_archive = match choice {
            TapeFormatChoice::Binance => true,
            TapeFormatChoice::Plain => false,
            TapeFormatChoice::Auto if is_header => first.kept_cells().any(is_buyer_maker_column),
            TapeFormatChoice::Auto => {
                let is_digits = first.cell_or_empty(0).iter().all(u8::is_ascii_digit);
                if !is_digits && first.count() != binance::SPOT_COLUMNS {
                    return Err(TapeFormatError::Unknown);
                }
                true
            }
        };
        if !is_archive {
            return Ok(DetectedFormat {
                format: Self::Plain(PlainFormatColumns::from_header(first)?),
                is_header: true,
            });
        }
        // Archives of futures have a header, and lack the last column.
        let columns = match is_header && first.count() == binance::SPOT_COLUMNS - 1 {
            true => binance::SPOT_COLUMNS - 1,
            false => binance::SPOT_COLUMNS,
        };
        let format = Self::Binance { columns };
        Ok(DetectedFormat { format, is_header })
    }

    /// Returns the id scheme that a venue with such tapes is assumed to have.
    pub(crate) const fn default_id_scheme(&self) -> IdScheme {
        match self {
            Self::Binance { .. } => IdScheme::Contiguous,
            Self::Plain(columns) if columns.has_id_column() => IdScheme::Unique,
            Self::Plain(_) => IdScheme::None,
        }
    }

    /// Parses a line.
    pub(crate) fn parse_line<'a>(
        &self,
        cells: &LineCells<'a>,
    ) -> Result<ParsedTradeLine<'a>, TradeLineError> {
        match self {
            Self::Binance { columns } => Ok(ParsedTradeLine {
                trade: binance::parse_binance_line(cells, *columns)?,
                venue: &[],
                symbol: &[],
            }),
            Self::Plain(columns) => columns.parse_line(cells),
        }
    }
}

fn looks_like_column_name(cell: &[u8]) -> bool {
    cell.first().is_some_and(u8::is_ascii_alphabetic)
}

/// Returns whether a header's cell is `isBuyerMaker` or `is_buyer_maker`, in any case.
fn is_buyer_maker_column(cell: &[u8]) -> bool {
    let letters = cell.iter().filter(|byte| **byte != b'_');
    letters
        .map(u8::to_ascii_lowercase)
        .eq(b"isbuyermaker".iter().copied())
}

impl FromStr for TapeFormatChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "binance" => Ok(Self::Binance),
            "plain" => Ok(Self::Plain),
            _ => Err("auto, binance or plain is expected".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use market::IdScheme;

    use super::{DetectedFormat, TapeFormat, TapeFormatChoice, TapeFormatError};
    use crate::cells::{LineCells, UnquoteBuffer};

    fn detect(line: &str, choice: TapeFormatChoice) -> Result<DetectedFormat, TapeFormatError> {
        let mut buffer = UnquoteBuffer::default();
        TapeFormat::detect(
            &LineCells::split(line.as_bytes(), &mut buffer).unwrap(),
            choice,
        )
    }

    #[test]
    fn the_first_line_decides_the_format() {
        let seven = TapeFormat::Binance { columns: 7 };
        let six = TapeFormat::Binance { columns: 6 };
        let cases = [
            ("1,2,3,6,5,False,True", (seven, false)),
            // A damaged line, which is a problem of the line and not of the tape.
            ("1,2,3", (seven, false)),
            ("x1,2,3,6,5,False,True", (seven, false)),
            (
                "id,price,qty,quoteQty,time,isBuyerMaker,isBestMatch",
                (seven, true),
            ),
            ("id,price,qty,quote_qty,time,is_buyer_maker", (six, true)),
        ];
        for (line, (format, is_header)) in cases {
            let expected = DetectedFormat { format, is_header };
            assert_eq!(detect(line, TapeFormatChoice::Auto), Ok(expected), "{line}");
            assert_eq!(
                detect(line, TapeFormatChoice::Binance),
                Ok(expected),
                "{line}"
            );
        }
        for (line, scheme) in [
            ("time,price,id", IdScheme::Unique),
            ("price,time", IdScheme::None),
        ] {
            let DetectedFormat { format, is_header } =
                detect(line, TapeFormatChoice::Auto).unwrap();
            assert!(is_header && matches!(format, TapeFormat::Plain(_)));
            assert_eq!(format.default_id_scheme(), scheme);
        }
    }

    #[test]
    fn the_error_of_another_first_line_says_what_is_expected() {
        let error = detect("time,cost", TapeFormatChoice::Auto).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("is not a header of the plain format: \"cost\"")
        );
        let error = detect("-,1,2", TapeFormatChoice::Auto).unwrap_err();
        assert_eq!(error, TapeFormatError::Unknown);
        let error = detect("1,2,3,6,5,False,True", TapeFormatChoice::Plain).unwrap_err();
        assert!(matches!(error, TapeFormatError::Header(_)));
    }
}
