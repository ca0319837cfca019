//! Parsing a venue's settings.

use market::{MILLISECOND_NS, VenueSettings};

use crate::problem::{ErrorCode, Problem};
use crate::raw_object::{MemberFault, RawObject, Value};

/// The members that a client may send.
const MEMBER_NAMES: [&str; 5] = [
    "id_scheme",
    "id_scope",
    "lateness_ms",
    "idle_ms",
    "nonpositive_prices",
];

/// Parses settings. Members that are left out keep their value in `present`.
///
/// # Errors
/// A [`Problem`] that names the member at fault.
pub(crate) fn parse_settings(
    body: &[u8],
    present: VenueSettings,
) -> Result<VenueSettings, Problem> {
    let invalid = |detail: String| {
        Problem::new(ErrorCode::InvalidBody, detail).accepted("a JSON object of settings")
    };
    let text = std::str::from_utf8(body).map_err(|error| invalid(error.to_string()))?;
    let object =
        RawObject::parse(text, &MEMBER_NAMES).map_err(|error| invalid(error.to_string()))?;
    match &object.fault {
        None => {}
        Some(MemberFault::Unknown(name)) => {
            let detail = format!("{name:?} is not a setting");
            return Err(Problem::new(ErrorCode::UnknownParameter, detail)
                .field(name.as_str())
                .accepted(MEMBER_NAMES.join(", ")));
        }
        Some(MemberFault::Repeated(name)) => {
            let detail = format!("{name} is given twice");
            return Err(Problem::invalid_parameter(name, detail, "one value"));
        }
    }
    Ok(VenueSettings {
        scheme: name_member(&object, 0, "contiguous, unique or none")?.unwrap_or(present.scheme),
        scope: name_member(&object, 1, "symbol, day, exchange or file")?.unwrap_or(present.scope),
        lateness_ns: duration_member(&object, 2)?.unwrap_or(present.lateness_ns),
        idle_ns: duration_member(&object, 3)?.unwrap_or(present.idle_ns),
        nonpositive_prices: boolean_member(&object, 4)?.unwrap_or(present.nonpositive_prices),
    })
}

type Settings<'a> = RawObject<'a, { MEMBER_NAMES.len() }>;

fn name_member<T: std::str::FromStr<Err = String>>(
    object: &Settings<'_>,
    index: usize,
    accepted: &str,
) -> Result<Option<T>, Problem> {
    let problem = |detail| Problem::invalid_parameter(MEMBER_NAMES[index], detail, accepted);
    match object.value(index) {
        Value::Null => Ok(None),
        Value::Text(text) => text.parse().map(Some).map_err(problem),
        _ => Err(problem(format!("{} is not a text", MEMBER_NAMES[index]))),
    }
}

fn duration_member(object: &Settings<'_>, index: usize) -> Result<Option<i64>, Problem> {
    const MAX_MS: i64 = VenueSettings::MAX_WAIT_NS / MILLISECOND_NS;
    let name = MEMBER_NAMES[index];
    let duration_ms = match object.value(index) {
        Value::Null => return Ok(None),
        Value::Number(digits) => digits.parse::<i64>().ok(),
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

fn boolean_member(object: &Settings<'_>, index: usize) -> Result<Option<bool>, Problem> {
    let name = MEMBER_NAMES[index];
    match object.value(index) {
        Value::Null => Ok(None),
        Value::Bool(value) => Ok(Some(value)),
        _ => Err(Problem::invalid_parameter(
            name,
            format!("{name} is not a boolean"),
            "true or false",
        )),
    }
}
