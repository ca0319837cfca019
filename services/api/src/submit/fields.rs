//! The fields of a trade as a client sends them, and parsing them into a trade.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use market::{Decimal, Instrument, Side, Symbol, Trade, TradeId, Venue};

use super::submission::{ElementFault, FaultCode};
use crate::raw_object::Value;

/// The names of all fields of a trade.
pub(crate) const FIELD_NAMES: [&str; 8] = [
    "venue", "symbol", "id", "time", "price", "quantity", "side", "scope",
];
/// The longest scope, in bytes.
const MAX_SCOPE_BYTES: usize = 64;

/// The names of the fields except those of the instrument.
pub(crate) const VALUE_NAMES: [&str; 6] = ["id", "time", "price", "quantity", "side", "scope"];

/// The values of a trade's fields, in the order of [`FIELD_NAMES`].
pub(crate) type Fields<'a> = [Value<'a>; FIELD_NAMES.len()];

/// Parses fields into trades. Keeps the last instrument, because most trades have the same one as
/// the trade before.
#[derive(Default)]
pub(crate) struct TradeParser {
    /// The last venue and symbol as texts, and the instrument.
    last: Option<(String, String, Instrument)>,
}

impl TradeParser {
    /// Parses the fields of one trade.
    pub(crate) fn parse(
        &mut self,
        fields: &Fields<'_>,
    ) -> Result<(Instrument, Trade), ElementFault> {
        let [venue, symbol, values @ ..] = fields;
        let instrument = self.instrument(venue, symbol)?;
        Ok((instrument, parse_values(values)?))
    }

    fn instrument(
        &mut self,
        venue: &Value<'_>,
        symbol: &Value<'_>,
    ) -> Result<Instrument, ElementFault> {
        let venue = require_text("venue", venue)?;
        let symbol = require_text("symbol", symbol)?;
        if let Some((last_venue, last_symbol, instrument)) = &self.last
            && last_venue == venue
            && last_symbol == symbol
        {
            return Ok(instrument.clone());
        }
        let instrument = Instrument::new(
            &parse_text::<Venue>("venue", venue)?,
            &parse_text::<Symbol>("symbol", symbol)?,
        );
        self.last = Some((venue.to_owned(), symbol.to_owned(), instrument.clone()));
        Ok(instrument)
    }
}

/// Parses the fields of a trade except its instrument, in the order of [`VALUE_NAMES`].
pub(crate) fn parse_values(fields: &[Value<'_>; VALUE_NAMES.len()]) -> Result<Trade, ElementFault> {
    let [id, time, price, quantity, side, scope] = fields;
    Ok(Trade {
        time_ns: parse_time(time)?,
        price: parse_decimal("price", price)?.ok_or_else(|| missing_field("price"))?,
        quantity: parse_decimal("quantity", quantity)?,
        side: parse_side(side)?,
        id: parse_id(id)?,
        scope: parse_scope(scope)?,
        sender: None,
    })
}

fn missing_field(field: &'static str) -> ElementFault {
    let message = format!("{field} is missing");
    ElementFault::new(field, FaultCode::MissingField, message)
}

fn invalid_value(field: &'static str, reason: &dyn Display) -> ElementFault {
    ElementFault::new(field, FaultCode::InvalidValue, format!("{field} {reason}"))
}

fn wrong_type(field: &'static str, value: &Value<'_>, expected: &str) -> ElementFault {
    let found = match value {
        Value::Null => "null",
        Value::Text(_) => "a text",
        Value::Number(_) => "a number",
        Value::Bool(_) => "a boolean",
        Value::Other(found) => found,
    };
    let message = format!("{field} is {found}; {expected} is expected");
    ElementFault::new(field, FaultCode::WrongType, message)
}

fn require_text<'a>(field: &'static str, value: &'a Value<'_>) -> Result<&'a str, ElementFault> {
    match value {
        Value::Null => Err(missing_field(field)),
        Value::Text(text) => Ok(text),
        other => Err(wrong_type(field, other, "a text")),
    }
}

fn parse_text<T: FromStr<Err: Display>>(
    field: &'static str,
    text: &str,
) -> Result<T, ElementFault> {
    text.parse().map_err(|error| invalid_value(field, &error))
}

fn parse_decimal(field: &'static str, value: &Value<'_>) -> Result<Option<Decimal>, ElementFault> {
    let digits = match value {
        Value::Null => return Ok(None),
        Value::Text(digits) | Value::Number(digits) => digits,
        other => {
            return Err(wrong_type(field, other, "a decimal number as text"));
        }
    };
    let decimal = Decimal::parse(digits.as_bytes());
    decimal
        .map(Some)
        .map_err(|error| invalid_value(field, &error))
}

fn parse_time(value: &Value<'_>) -> Result<i64, ElementFault> {
    const EXPECTED: &str = "RFC 3339 text or an integer of nanoseconds";
    let field = "time";
    match value {
        Value::Null => Err(missing_field(field)),
        Value::Text(text) if is_integer(text) => parse_text(field, text),
        Value::Text(text) => market::parse_time(text)
            .map_err(|error| ElementFault::new(field, FaultCode::InvalidValue, error.to_string())),
        Value::Number(digits) if is_integer(digits) => parse_text(field, digits),
        Value::Number(_) => {
            let reason = format!("is not a whole number; {EXPECTED} is expected");
            Err(invalid_value(field, &reason))
        }
        other => Err(wrong_type(field, other, EXPECTED)),
    }
}

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn parse_side(value: &Value<'_>) -> Result<Option<Side>, ElementFault> {
    match value {
        Value::Null => Ok(None),
        Value::Text(text) if text == Side::Buy.name() => Ok(Some(Side::Buy)),
        Value::Text(text) if text == Side::Sell.name() => Ok(Some(Side::Sell)),
        Value::Text(_) => Err(invalid_value("side", &"is neither buy nor sell nor null")),
        other => Err(wrong_type("side", other, "buy, sell or null")),
    }
}

fn parse_id(value: &Value<'_>) -> Result<Option<TradeId>, ElementFault> {
    let text: &Cow<'_, str> = match value {
        Value::Null => return Ok(None),
        Value::Text(text) => text,
        Value::Number(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits,
        Value::Number(_) => {
            let reason = "is not a whole number from 0; such an id is sent as text";
            return Err(invalid_value("id", &reason));
        }
        other => return Err(wrong_type("id", other, "a text or an integer")),
    };
    let id = TradeId::parse(text);
    id.map(Some).map_err(|error| invalid_value("id", &error))
}

/// Parses a scope; `None` if it is not given.
pub(crate) fn parse_scope(value: &Value<'_>) -> Result<Option<Arc<str>>, ElementFault> {
    match value {
        Value::Null => Ok(None),
        Value::Text(text) if (1..=MAX_SCOPE_BYTES).contains(&text.len()) => {
            Ok(Some(text.as_ref().into()))
        }
        Value::Text(text) => {
            let reason = format!(
                "has {} bytes; 1 to {MAX_SCOPE_BYTES} are expected",
                text.len()
            );
            Err(invalid_value("scope", &reason))
        }
        other => Err(wrong_type("scope", other, "a text")),
    }
}
