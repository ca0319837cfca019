//! Parameters of the path and the query, parsed strictly.

use std::fmt::Display;
use std::str::FromStr;

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::Uri;
use axum::http::request::Parts;
use market::{DAY_NS, Symbol, normalize_symbol_to_nfc};
use serde::de::DeserializeOwned;

use crate::problem::{ErrorCode, Problem};
use crate::venue_name::{ClientInstrumentName, ClientVenueName};

/// The number of elements of a page unless the query says otherwise.
const DEFAULT_LIMIT: u32 = 500;
/// The greatest number of elements of a page.
const MAX_LIMIT: u32 = 10_000;

/// The end of the times that a request may name: some days before the end of what 64 bits can
/// count, so that the windows around any time can be counted too.
pub(crate) const END_OF_TIME_NS: i64 = i64::MAX - 4 * DAY_NS;

/// Describes the accepted forms of a time.
pub(crate) const ACCEPTED_TIMES: &str = "RFC 3339 such as 2013-10-08T13:30:00Z, or integer nanoseconds since 1970, of the years 1970 to 2262";

/// Describes the accepted names of venues.
const ACCEPTED_VENUES: &str = "1 to 32 of A-Z a-z 0-9 . _ -, but not . or ..; the number of a \
     generation may follow, as in binance@1";

/// Describes the accepted names of symbols.
const ACCEPTED_SYMBOLS: &str = "1 to 64 letters, digits, marks, punctuation and symbols of any \
    script, with single spaces between them, percent-encoded";

/// The parameters of a query, each known and given once.
pub(crate) struct QueryParams(Vec<(String, String)>);

impl QueryParams {
    /// Reads the query of a request.
    ///
    /// # Errors
    /// A [`Problem`] if a parameter is not among the `accepted` ones or is given twice.
    pub(crate) fn read(uri: &Uri, accepted: &[&str]) -> Result<Self, Problem> {
        check_percent_encoding(uri.query().unwrap_or_default())
            .map_err(|detail| Problem::new(ErrorCode::InvalidParameter, detail))?;
        let Query(pairs): Query<Vec<(String, String)>> = Query::try_from_uri(uri)
            .map_err(|error| Problem::new(ErrorCode::InvalidParameter, error.body_text()))?;
        for (index, (name, _)) in pairs.iter().enumerate() {
            let shown: String = name.chars().take(32).collect();
            if !accepted.contains(&name.as_str()) {
                let accepted = match accepted {
                    [] => "no parameters".to_owned(),
                    names => names.join(", "),
                };
                let detail = format!("{shown:?} is not a parameter of this endpoint");
                return Err(Problem::new(ErrorCode::UnknownParameter, detail)
                    .with_field(shown)
                    .with_accepted(accepted));
            }
            if pairs[..index].iter().any(|(earlier, _)| earlier == name) {
                let detail = format!("{shown} is given twice");
                return Err(Problem::invalid_parameter(&shown, detail, "one value"));
            }
        }
        Ok(Self(pairs))
    }

    /// Returns a parameter as text; `None` if it is not given.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(given, _)| given == name)?;
        Some(&found.1)
    }

    /// Returns the names and values of the parameters but `omitted`, in the order of their names.
    pub(crate) fn sorted_except(&self, omitted: &[&str]) -> Vec<(&str, &str)> {
        let mut pairs: Vec<_> = self
            .0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .filter(|(name, _)| !omitted.contains(name))
            .collect();
        pairs.sort_unstable();
        pairs
    }

    /// Returns a parameter parsed into a value; `None` if it is not given.
    pub(crate) fn parsed<T>(&self, name: &str, accepted: &str) -> Result<Option<T>, Problem>
    where
        T: FromStr<Err: Display>,
    {
        self.text(name)
            .map(|text| parse_parameter(name, text, accepted))
            .transpose()
    }

    /// Returns a time in UTC nanoseconds; `None` if it is not given.
    pub(crate) fn time(&self, name: &str) -> Result<Option<i64>, Problem> {
        self.text(name)
            .map(|text| {
                parse_time(text)
                    .map_err(|detail| Problem::invalid_parameter(name, detail, ACCEPTED_TIMES))
            })
            .transpose()
    }

    /// Returns the event time of a trade from a required parameter, in UTC nanoseconds, or a
    /// [`Problem`] if it is missing or invalid. The venue's settings say whether it may be as early
    /// as an integer in another unit would be.
    pub(crate) fn required_event_time(&self, name: &str) -> Result<i64, Problem> {
        let problem = |detail| Problem::invalid_parameter(name, detail, ACCEPTED_TIMES);
        let text = self
            .text(name)
            .ok_or_else(|| problem(format!("{name} is missing")))?;
        parse_time_without_unit_check(text).map_err(problem)
    }

    /// Returns the greatest number of elements of the page.
    pub(crate) fn limit(&self) -> Result<u32, Problem> {
        let Some(text) = self.text("limit") else {
            return Ok(DEFAULT_LIMIT);
        };
        let limit = text.parse().ok();
        limit
            .filter(|_| is_unsigned_integer(text))
            .filter(|limit| (1..=MAX_LIMIT).contains(limit))
            .ok_or_else(|| {
                let text: String = text.chars().take(32).collect();
                Problem::invalid_parameter(
                    "limit",
                    format!("{text:?} is not a limit"),
                    format!("an integer from 1 to {MAX_LIMIT}"),
                )
            })
    }

    /// Returns the parameters `start` and `end`, the bounds of `[start, end)`.
    pub(crate) fn start_and_end(&self) -> Result<(Option<i64>, Option<i64>), Problem> {
        let (start, end) = (self.time("start")?, self.time("end")?);
        if let (Some(start), Some(end)) = (start, end)
            && start > end
        {
            return Err(Problem::invalid_parameter(
                "start",
                "start lies after end",
                "a start that is not after end",
            ));
        }
        Ok((start, end))
    }
}

/// Parses a value of the path or the query. `accepted` describes the accepted values, for the
/// problem.
fn parse_parameter<T>(name: &str, text: &str, accepted: &str) -> Result<T, Problem>
where
    T: FromStr<Err: Display>,
{
    text.parse()
        .map_err(|error| Problem::invalid_parameter(name, format!("{name}: {error}"), accepted))
}

/// Parses a venue of a path or a query.
pub(crate) fn parse_venue(text: &str) -> Result<ClientVenueName, Problem> {
    parse_parameter("venue", text, ACCEPTED_VENUES)
}

/// Parses a symbol of a path or a query.
pub(crate) fn parse_symbol(text: &str) -> Result<Symbol, Problem> {
    parse_parameter("symbol", &normalize_symbol_to_nfc(text), ACCEPTED_SYMBOLS)
}

/// Parses the instrument of a path, which is a venue and a symbol.
pub(crate) fn parse_instrument(path: &(String, String)) -> Result<ClientInstrumentName, Problem> {
    let (venue, symbol) = path;
    Ok(ClientInstrumentName {
        venue: parse_venue(venue)?,
        symbol: parse_symbol(symbol)?,
    })
}

/// Parses a time, RFC 3339 or integer nanoseconds, into UTC nanoseconds. An integer that is
/// plausible in another unit is refused, because the answer would be empty or of another period.
pub(crate) fn parse_time(text: &str) -> Result<i64, String> {
    let time_ns = parse_time_without_unit_check(text)?;
    match market::describe_plausible_unit(time_ns).filter(|_| is_unsigned_integer(text)) {
        Some(unit) => Err(format!("integers are nanoseconds since 1970, and {unit}")),
        None => Ok(time_ns),
    }
}

fn is_unsigned_integer(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Parses a time as [`parse_time`] does, but accepts integers that are plausible in another unit.
fn parse_time_without_unit_check(text: &str) -> Result<i64, String> {
    let time_ns = match is_unsigned_integer(text) {
        true => text.parse().unwrap_or(i64::MAX),
        false => market::parse_time(text).map_err(|error| match text.contains(' ') {
            true => format!("{error} (a + in a query is written %2B)"),
            false => error.to_string(),
        })?,
    };
    match time_ns <= END_OF_TIME_NS {
        true => Ok(time_ns),
        false => Err(format!("{text:.40} is beyond the year 2262")),
    }
}

/// An extractor of the segments of a path that the route's template names, percent-decoded.
pub(crate) struct PathSegments<T>(pub(crate) T);

impl<S, T> FromRequestParts<S> for PathSegments<T>
where
    S: Send + Sync,
    T: DeserializeOwned + Send,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let problem = |detail| {
            Problem::invalid_parameter("path", detail, "segments of percent-encoded UTF-8")
        };
        // The extractor would take them as they are.
        check_percent_encoding(parts.uri.path()).map_err(problem)?;
        match Path::from_request_parts(parts, state).await {
            Ok(Path(segments)) => Ok(Self(segments)),
            Err(error) => Err(problem(error.body_text())),
        }
    }
}

/// Checks that each `%` of a path or a query is followed by two hexadecimal digits.
fn check_percent_encoding(text: &str) -> Result<(), String> {
    for rest in text.split('%').skip(1) {
        let digits = rest.as_bytes().first_chunk::<2>();
        if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
            let shown: String = rest.chars().take(2).collect();
            return Err(format!(
                "%{shown} is not percent-encoding: % is followed by two hexadecimal digits, and \
                 itself written %25"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
