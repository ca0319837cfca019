//! Fields that do not belong in a trade.

use std::borrow::Cow;

use super::fields::NAMES;
use super::submission::{Fault, FaultCode};

/// A field that trades do not have.
pub(crate) fn unknown(name: &str) -> Fault {
    let message = format!(
        "{name:?} is not a field of a trade; those are {}",
        NAMES.join(", ")
    );
    Fault::new(name.to_owned(), FaultCode::UnknownField, message)
}

/// A field that is given twice.
pub(crate) fn repeated(name: &'static str) -> Fault {
    let message = format!("{name} is given twice");
    Fault::new(name, FaultCode::RepeatedField, message)
}

/// An element that is no object of fields.
pub(crate) fn malformed(message: impl Into<Cow<'static, str>>) -> Fault {
    Fault::new("", FaultCode::Malformed, message)
}
