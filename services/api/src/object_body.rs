//! Bodies that are one JSON object of known members.

use crate::problem::{ErrorCode, Problem};
use crate::raw_object::{MemberFault, RawObject};

/// How problems describe the object that is expected.
pub(crate) struct ExpectedObjectDescription<'a> {
    /// The object, such as "a JSON object of settings".
    pub(crate) object: &'a str,
    /// One of its members, such as "a setting".
    pub(crate) member: &'static str,
}

/// Reads a body that is one object whose members may have these names.
///
/// # Errors
/// A [`Problem`] if the body is not such an object, or has an unknown or a repeated member.
pub(crate) fn parse_object_body<'a, const N: usize>(
    body: &'a [u8],
    names: &'static [&'static str; N],
    expected: &ExpectedObjectDescription<'_>,
) -> Result<RawObject<'a, N>, Problem> {
    let invalid_body = |detail: String| {
        Problem::new(ErrorCode::InvalidBody, detail).with_accepted(expected.object)
    };
    let text = std::str::from_utf8(body).map_err(|error| invalid_body(error.to_string()))?;
    let object = RawObject::parse(text, names).map_err(|error| invalid_body(error.to_string()))?;
    match &object.fault {
        None => Ok(object),
        Some(MemberFault::Unknown(name)) => {
            let detail = format!("{name:?} is not {}", expected.member);
            Err(Problem::new(ErrorCode::UnknownParameter, detail)
                .with_field(name.as_str())
                .with_accepted(names.join(", ")))
        }
        Some(MemberFault::Repeated(name)) => {
            let detail = format!("{name} is given twice");
            Err(Problem::invalid_parameter(name, detail, "one value"))
        }
    }
}
