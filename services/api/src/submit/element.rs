//! Faults of whole elements, in any form.

use std::borrow::Cow;

use super::fields::NAMES;
use super::submission::{Fault, FaultCode};

/// The fault of an element with a field that trades do not have.
pub(crate) fn unknown_field(name: &str) -> Fault {
    let message = format!(
        "{name:?} is not a field of a trade; those are {}",
        NAMES.join(", ")
    );
    Fault::new(name.to_owned(), FaultCode::UnknownField, message)
}

/// The fault of an element that has a field twice.
pub(crate) fn repeated_field(name: &'static str) -> Fault {
    let message = format!("{name} is given twice");
    Fault::new(name, FaultCode::RepeatedField, message)
}

/// The fault of an element that is not an object of fields.
pub(crate) fn malformed(message: impl Into<Cow<'static, str>>) -> Fault {
    Fault::new("", FaultCode::Malformed, message)
}
