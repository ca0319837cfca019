//! A venue's settings as clients see and send them.

use market::{MILLISECOND_NS, VenueSettings};

use crate::raw_object::{MemberFault, RawObject, Value};
use crate::{ErrorCode, Problem};

/// The members that a client may send.
const NAMES: [&str; 5] = [
    "id_scheme",
    "id_scope",
    "lateness_ms",
    "idle_ms",
    "nonpositive_prices",
];

/// Reads settings; what is left out stays as it is in `present`.
///
/// # Errors
/// A [`Problem`] that names the member at fault.
pub(crate) fn read(body: &[u8], present: VenueSettings) -> Result<VenueSettings, Problem> {
    let invalid = |detail: String| {
        Problem::new(ErrorCode::InvalidBody, detail).accepted("a JSON object of settings")
    };
    let text = std::str::from_utf8(body).map_err(|error| invalid(error.to_string()))?;
    let object = RawObject::parse(text, &NAMES).map_err(|error| invalid(error.to_string()))?;
    match &object.fault {
        None => {}
        Some(MemberFault::Unknown(name)) => {
            let detail = format!("{name:?} is not a setting");
            return Err(Problem::new(ErrorCode::UnknownParameter, detail)
                .field(name.as_str())
                .accepted(NAMES.join(", ")));
        }
        Some(MemberFault::Repeated(name)) => {
            let detail = format!("{name} is given twice");
            return Err(Problem::parameter(name, detail, "one value"));
        }
    }
    Ok(VenueSettings {
        scheme: named(&object, 0, "contiguous, unique or none")?.unwrap_or(present.scheme),
        scope: named(&object, 1, "symbol, day, exchange or file")?.unwrap_or(present.scope),
        lateness_ns: duration(&object, 2)?.unwrap_or(present.lateness_ns),
        idle_ns: duration(&object, 3)?.unwrap_or(present.idle_ns),
        nonpositive_prices: switch(&object, 4)?.unwrap_or(present.nonpositive_prices),
    })
}

type Settings<'a> = RawObject<'a, { NAMES.len() }>;

fn named<T: std::str::FromStr<Err = String>>(
    object: &Settings<'_>,
    place: usize,
    accepted: &str,
) -> Result<Option<T>, Problem> {
    let fail = |detail| Problem::parameter(NAMES[place], detail, accepted);
    match object.value(place) {
        Value::Null => Ok(None),
        Value::Text(text) => text.parse().map(Some).map_err(fail),
        _ => Err(fail(format!("{} is not a text", NAMES[place]))),
    }
}

fn duration(object: &Settings<'_>, place: usize) -> Result<Option<i64>, Problem> {
    const LONGEST_MS: i64 = VenueSettings::LONGEST_NS / MILLISECOND_NS;
    let name = NAMES[place];
    let digits = match object.value(place) {
        Value::Null => return Ok(None),
        Value::Number(digits) => digits.parse::<i64>().ok(),
        _ => None,
    };
    match digits.filter(|duration| (0..=LONGEST_MS).contains(duration)) {
        Some(duration_ms) => Ok(Some(duration_ms * MILLISECOND_NS)),
        None => Err(Problem::parameter(
            name,
            format!("{name} is not a number of milliseconds up to a day"),
            format!("an integer from 0 to {LONGEST_MS}"),
        )),
    }
}

fn switch(object: &Settings<'_>, place: usize) -> Result<Option<bool>, Problem> {
    let name = NAMES[place];
    match object.value(place) {
        Value::Null => Ok(None),
        Value::Bool(value) => Ok(Some(value)),
        _ => Err(Problem::parameter(
            name,
            format!("{name} is not a boolean"),
            "true or false",
        )),
    }
}
