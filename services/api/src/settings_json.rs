//! Parsing a change of a venue's settings.

use market::{MAX_GENERATION, MILLISECOND_NS, SettingsChange, VenueSettings};

use crate::object_body::{ExpectedObjectDescription, parse_object_body};
use crate::problem::Problem;
use crate::raw_object::{RawObject, UnparsedValue};

/// The members that a client may send.
const MEMBER_NAMES: [&str; 7] = [
    "id_scheme",
    "id_scope",
    "lateness_ms",
    "idle_ms",
    "nonpositive_prices",
    "ties",
    "old_times",
];

/// Parses a change of settings. Members that are left out stay as they are, or have their default
/// if the venue is new.
///
/// # Errors
/// A [`Problem`] that names the member at fault.
pub(crate) fn parse_settings_change(body: &[u8]) -> Result<SettingsChange, Problem> {
    let expected = ExpectedObjectDescription {
        object: "a JSON object of settings",
        member: "a setting",
    };
    let object = parse_object_body(body, &MEMBER_NAMES, &expected)?;
    Ok(SettingsChange {
        scheme: parse_text_member(&object, 0, "contiguous, unique or none")?,
        scope: parse_text_member(&object, 1, "symbol, day, exchange or file")?,
        ties: parse_text_member(&object, 5, "id or log")?,
        lateness_ns: duration_member_ns(&object, 2)?,
        idle_ns: duration_member_ns(&object, 3)?,
        nonpositive_prices: boolean_member(&object, 4)?,
        old_times: boolean_member(&object, 6)?,
        retired: None,
    })
}

/// Parses the generation of a request that retires a venue.
///
/// # Errors
/// A [`Problem`] that names what is wrong.
pub(crate) fn parse_generation(body: &[u8]) -> Result<u16, Problem> {
    let expected = ExpectedObjectDescription {
        object: "a JSON object with the generation to retire",
        member: "a member of a retirement",
    };
    let object: RawObject<'_, 1> = parse_object_body(body, &["generation"], &expected)?;
    let generation = match object.value(0) {
        UnparsedValue::Number(digits) => digits.parse().ok(),
        _ => None,
    };
    let generation = generation.filter(|generation| (1..=MAX_GENERATION).contains(generation));
    generation.ok_or_else(|| {
        Problem::invalid_parameter(
            "generation",
            "generation is not the number of a generation",
            "the generation that GET …/settings returns",
        )
    })
}

type SettingsMembers<'a> = RawObject<'a, { MEMBER_NAMES.len() }>;

fn parse_text_member<T: std::str::FromStr<Err = String>>(
    object: &SettingsMembers<'_>,
    index: usize,
    accepted: &str,
) -> Result<Option<T>, Problem> {
    let problem = |detail| Problem::invalid_parameter(MEMBER_NAMES[index], detail, accepted);
    match object.value(index) {
        UnparsedValue::Null => Ok(None),
        UnparsedValue::Text(text) => text.parse().map(Some).map_err(problem),
        _ => Err(problem(format!("{} is not a text", MEMBER_NAMES[index]))),
    }
}

fn duration_member_ns(object: &SettingsMembers<'_>, index: usize) -> Result<Option<i64>, Problem> {
    const MAX_MS: i64 = VenueSettings::MAX_WAIT_NS / MILLISECOND_NS;
    let name = MEMBER_NAMES[index];
    let duration_ms = match object.value(index) {
        UnparsedValue::Null => return Ok(None),
        UnparsedValue::Number(digits) => digits.parse::<i64>().ok(),
        _ => None,
    };
    match duration_ms.filter(|duration_ms| (0..=MAX_MS).contains(duration_ms)) {
        Some(duration_ms) => Ok(Some(duration_ms * MILLISECOND_NS)),
        None => Err(Problem::invalid_parameter(
            name,
            format!("{name} is not a number of milliseconds up to a day"),
            format!("an integer from 0 to {MAX_MS}"),
        )),
    }
}

fn boolean_member(object: &SettingsMembers<'_>, index: usize) -> Result<Option<bool>, Problem> {
    let name = MEMBER_NAMES[index];
    match object.value(index) {
        UnparsedValue::Null => Ok(None),
        UnparsedValue::Bool(value) => Ok(Some(value)),
        _ => Err(Problem::invalid_parameter(
            name,
            format!("{name} is not a boolean"),
            "true or false",
        )),
    }
}
