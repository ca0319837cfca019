//! The fields of a trade as a client sends them, and parsing them into a trade.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use market::{Decimal, Instrument, Side, Symbol, TextKind, Trade, TradeId, Venue};

use super::submission::{ElementFault, FaultCode};
use crate::raw_object::UnparsedValue;

/// The names of all fields of a trade.
pub(crate) const FIELD_NAMES: [&str; 8] = [
    "venue", "symbol", "id", "time", "price", "quantity", "side", "scope",
];

/// The names of the fields except those of the instrument.
pub(crate) const VALUE_NAMES: [&str; 6] = ["id", "time", "price", "quantity", "side", "scope"];

/// The values of a trade's fields, in the order of [`FIELD_NAMES`].
pub(crate) type TradeFields<'a> = [UnparsedValue<'a>; FIELD_NAMES.len()];

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
        fields: &TradeFields<'_>,
    ) -> Result<(Instrument, Trade), ElementFault> {
        let [venue, symbol, values @ ..] = fields;
        let instrument = self.instrument(venue, symbol)?;
        Ok((instrument, parse_trade_values(values)?))
    }

    fn instrument(
        &mut self,
        venue: &UnparsedValue<'_>,
        symbol: &UnparsedValue<'_>,
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
            &parse_field_text::<Venue>("venue", venue)?,
            &parse_field_text::<Symbol>("symbol", symbol)?,
        );
        self.last = Some((venue.to_owned(), symbol.to_owned(), instrument.clone()));
        Ok(instrument)
    }
}

/// Parses the fields of a trade except its instrument, in the order of [`VALUE_NAMES`].
pub(crate) fn parse_trade_values(
    fields: &[UnparsedValue<'_>; VALUE_NAMES.len()],
) -> Result<Trade, ElementFault> {
    let [id, time, price, quantity, side, scope] = fields;
    Ok(Trade {
        time_ns: parse_event_time(time)?,
        price: parse_decimal("price", price)?.ok_or_else(|| missing_field_fault("price"))?,
        quantity: parse_decimal("quantity", quantity)?,
        side: parse_side(side)?,
        id: parse_trade_id(id)?,
        scope: parse_scope(scope)?,
        sender: None,
    })
}

fn missing_field_fault(field: &'static str) -> ElementFault {
    let message = format!("{field} is missing");
    ElementFault::new(field, FaultCode::MissingField, message)
}

fn invalid_value_fault(field: &'static str, reason: &dyn Display) -> ElementFault {
    ElementFault::new(field, FaultCode::InvalidValue, format!("{field} {reason}"))
}

fn wrong_type_fault(
    field: &'static str,
    value: &UnparsedValue<'_>,
    expected: &str,
) -> ElementFault {
    let found = match value {
        UnparsedValue::Null => "null",
        UnparsedValue::Text(_) => "a text",
        UnparsedValue::Number(_) => "a number",
        UnparsedValue::Bool(_) => "a boolean",
        UnparsedValue::Other(found) => found,
    };
    let message = format!("{field} is {found}; {expected} is expected");
    ElementFault::new(field, FaultCode::WrongType, message)
}

fn require_text<'a>(
    field: &'static str,
    value: &'a UnparsedValue<'_>,
) -> Result<&'a str, ElementFault> {
    match value {
        UnparsedValue::Null => Err(missing_field_fault(field)),
        UnparsedValue::Text(text) => Ok(text),
        other => Err(wrong_type_fault(field, other, "a text")),
    }
}

fn parse_field_text<T: FromStr<Err: Display>>(
    field: &'static str,
    text: &str,
) -> Result<T, ElementFault> {
    text.parse()
        .map_err(|error| invalid_value_fault(field, &error))
}

fn parse_decimal(
    field: &'static str,
    value: &UnparsedValue<'_>,
) -> Result<Option<Decimal>, ElementFault> {
    let digits = match value {
        UnparsedValue::Null => return Ok(None),
        UnparsedValue::Text(digits) | UnparsedValue::Number(digits) => digits,
        other => {
            return Err(wrong_type_fault(field, other, "a decimal number as text"));
        }
    };
    let decimal = Decimal::parse(digits.as_bytes());
    decimal
        .map(Some)
        .map_err(|error| invalid_value_fault(field, &error))
}

fn parse_event_time(value: &UnparsedValue<'_>) -> Result<i64, ElementFault> {
    const EXPECTED: &str = "RFC 3339 text or an integer of nanoseconds";
    let field = "time";
    match value {
        UnparsedValue::Null => Err(missing_field_fault(field)),
        UnparsedValue::Text(text) if is_integer(text) => parse_field_text(field, text),
        UnparsedValue::Text(text) => market::parse_time(text)
            .map_err(|error| ElementFault::new(field, FaultCode::InvalidValue, error.to_string())),
        UnparsedValue::Number(digits) if is_integer(digits) => parse_field_text(field, digits),
        UnparsedValue::Number(_) => {
            let reason = format!("is not a whole number; {EXPECTED} is expected");
            Err(invalid_value_fault(field, &reason))
        }
        other => Err(wrong_type_fault(field, other, EXPECTED)),
    }
}

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn parse_side(value: &UnparsedValue<'_>) -> Result<Option<Side>, ElementFault> {
    match value {
        UnparsedValue::Null => Ok(None),
        UnparsedValue::Text(text) if text == Side::Buy.name() => Ok(Some(Side::Buy)),
        UnparsedValue::Text(text) if text == Side::Sell.name() => Ok(Some(Side::Sell)),
        UnparsedValue::Text(_) => Err(invalid_value_fault(
            "side",
            &"is neither buy nor sell nor null",
        )),
        other => Err(wrong_type_fault("side", other, "buy, sell or null")),
    }
}

fn parse_trade_id(value: &UnparsedValue<'_>) -> Result<Option<TradeId>, ElementFault> {
    let text: &Cow<'_, str> = match value {
        UnparsedValue::Null => return Ok(None),
        UnparsedValue::Text(text) => text,
        UnparsedValue::Number(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits,
        UnparsedValue::Number(_) => {
            let reason = "is not a whole number from 0; such an id is sent as text";
            return Err(invalid_value_fault("id", &reason));
        }
        other => return Err(wrong_type_fault("id", other, "a text or an integer")),
    };
    let id = TradeId::parse(text);
    id.map(Some)
        .map_err(|error| invalid_value_fault("id", &error))
}

/// Parses a scope; `None` if it is not given.
pub(crate) fn parse_scope(value: &UnparsedValue<'_>) -> Result<Option<Arc<str>>, ElementFault> {
    match value {
        UnparsedValue::Null => Ok(None),
        UnparsedValue::Text(text) => match market::validate_text(TextKind::Scope, text) {
            Ok(()) => Ok(Some(text.as_ref().into())),
            Err(error) => Err(invalid_value_fault("scope", &error)),
        },
        other => Err(wrong_type_fault("scope", other, "a text")),
    }
}
