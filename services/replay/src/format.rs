//! Which format a tape has, told by its first line.

use std::str::FromStr;

use market::IdScheme;

use crate::binance;
use crate::cells::{Cells, LineError};
use crate::plain::{Columns, HeaderError, NAMES, Row};

/// Which format was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum FormatChoice {
    /// Whatever the first line says.
    #[default]
    Auto,
    /// Binance's trade archives.
    Binance,
    /// The plain format.
    Plain,
}

/// What the lines of a tape look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Binance's trade archives, of so many columns.
    Binance { columns: usize },
    /// The plain format.
    Plain(Columns),
}

/// Why a first line does not tell a format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FormatError {
    /// No header of the plain format.
    #[error("is no header of the plain format: {0}")]
    Header(#[from] HeaderError),
    /// No header that is known, and no trade of an archive.
    #[error(
        "is neither a trade of a Binance archive (7 cells, the first a number) nor a header \
         that names columns of the plain format ({})", NAMES.join(", ")
    )]
    Unknown,
}

impl Format {
    /// Tells the format by the first line, and whether that line is a header.
    pub(crate) fn detect(
        first: &Cells<'_>,
        choice: FormatChoice,
    ) -> Result<(Self, bool), FormatError> {
        let is_header = first.iter().all(is_name);
        let is_archive = match choice {
            FormatChoice::Binance => true,
            FormatChoice::Plain => false,
            FormatChoice::Auto if is_header => first.iter().any(is_archive_name),
            FormatChoice::Auto => {
                let is_digits = first.get(0).iter().all(u8::is_ascii_digit);
                if !is_digits && first.count() != binance::COLUMNS {
                    return Err(FormatError::Unknown);
                }
                true
            }
        };
        if !is_archive {
            return Ok((Self::Plain(Columns::of(first)?), true));
        }
        // Futures archives, which have a header, leave the last column out.
        let columns = match is_header && first.count() == binance::COLUMNS - 1 {
            true => binance::COLUMNS - 1,
            false => binance::COLUMNS,
        };
        Ok((Self::Binance { columns }, is_header))
    }

    /// How a venue whose tape looks like this is taken to number its trades.
    pub(crate) const fn id_scheme(&self) -> IdScheme {
        match self {
            Self::Binance { .. } => IdScheme::Contiguous,
            Self::Plain(columns) if columns.have_id() => IdScheme::Unique,
            Self::Plain(_) => IdScheme::None,
        }
    }

    /// Reads a line.
    pub(crate) fn parse<'a>(&self, cells: &Cells<'a>) -> Result<Row<'a>, LineError> {
        match self {
            Self::Binance { columns } => Ok(Row {
                trade: binance::parse(cells, *columns)?,
                venue: &[],
                symbol: &[],
            }),
            Self::Plain(columns) => columns.parse(cells),
        }
    }
}

fn is_name(cell: &[u8]) -> bool {
    cell.first().is_some_and(u8::is_ascii_alphabetic)
}

/// `isBuyerMaker`, `is_buyer_maker`.
fn is_archive_name(cell: &[u8]) -> bool {
    let letters = cell.iter().filter(|byte| **byte != b'_');
    letters
        .map(u8::to_ascii_lowercase)
        .eq(b"isbuyermaker".iter().copied())
}

impl FromStr for FormatChoice {
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

    use super::{Format, FormatChoice, FormatError};
    use crate::cells::{Cells, Scratch};

    fn detect(line: &str, choice: FormatChoice) -> Result<(Format, bool), FormatError> {
        let mut scratch = Scratch::default();
        Format::detect(
            &Cells::split(line.as_bytes(), &mut scratch).unwrap(),
            choice,
        )
    }

    #[test]
    fn the_first_line_tells_the_format() {
        let seven = Format::Binance { columns: 7 };
        let six = Format::Binance { columns: 6 };
        let cases = [
            ("1,2,3,6,5,False,True", (seven, false)),
            // Damaged, which is then told of the line and not of the tape.
            ("1,2,3", (seven, false)),
            ("x1,2,3,6,5,False,True", (seven, false)),
            (
                "id,price,qty,quoteQty,time,isBuyerMaker,isBestMatch",
                (seven, true),
            ),
            ("id,price,qty,quote_qty,time,is_buyer_maker", (six, true)),
        ];
        for (line, expected) in cases {
            assert_eq!(detect(line, FormatChoice::Auto), Ok(expected), "{line}");
            assert_eq!(detect(line, FormatChoice::Binance), Ok(expected), "{line}");
        }
        for (line, scheme) in [
            ("time,price,id", IdScheme::Unique),
            ("price,time", IdScheme::None),
        ] {
            let (format, is_header) = detect(line, FormatChoice::Auto).unwrap();
            assert!(is_header && matches!(format, Format::Plain(_)));
            assert_eq!(format.id_scheme(), scheme);
        }
    }

    #[test]
    fn another_first_line_says_what_would_be_right() {
        let error = detect("time,cost", FormatChoice::Auto).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("is no header of the plain format: \"cost\"")
        );
        let error = detect("-,1,2", FormatChoice::Auto).unwrap_err();
        assert_eq!(error, FormatError::Unknown);
        let error = detect("1,2,3,6,5,False,True", FormatChoice::Plain).unwrap_err();
        assert!(matches!(error, FormatError::Header(_)));
    }
}
