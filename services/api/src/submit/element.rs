//! Faults of whole elements, in any form.

use std::borrow::Cow;

use super::fields::FIELD_NAMES;
use super::submission::{ElementFault, FaultCode};

/// Returns the fault of an element with a field that trades do not have.
pub(crate) fn unknown_field_fault(name: &str) -> ElementFault {
    let message = format!(
        "{name:?} is not a field of a trade; those are {}",
        FIELD_NAMES.join(", ")
    );
    ElementFault::new(name.to_owned(), FaultCode::UnknownField, message)
}

/// Returns the fault of an element that has a field twice.
pub(crate) fn repeated_field_fault(name: &'static str) -> ElementFault {
    let message = format!("{name} is given twice");
    ElementFault::new(name, FaultCode::RepeatedField, message)
}

/// Returns the fault of an element that is not an object of fields.
pub(crate) fn malformed_element_fault(message: impl Into<Cow<'static, str>>) -> ElementFault {
    ElementFault::new("", FaultCode::Malformed, message)
}
