//! The trades of a request, and those elements that are none.

use market::{Instrument, Sender, Trade};
use serde::Serialize;

/// The trades of a request, and those elements that are none.
#[derive(Debug, Default)]
pub(crate) struct Submission {
    /// What can be appended.
    pub(crate) trades: Vec<(Instrument, Trade)>,
    /// For each trade its place in the request.
    pub(crate) indexes: Vec<usize>,
    /// The others.
    pub(crate) rejected: Vec<Rejection>,
    /// A digest of the request's Idempotency-Key.
    sender: Option<[u8; 16]>,
}

/// An element that was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Rejection {
    /// Its place in the request, counted from 0; of NDJSON its line.
    pub(crate) index: usize,
    /// Which field is at fault; empty where it is the whole.
    pub(crate) field: String,
    /// One of a closed set.
    pub(crate) code: &'static str,
    /// What was wrong and what would be right, for people.
    pub(crate) message: String,
}

/// Why an element is no trade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Which field; empty where it is the whole.
    pub(crate) field: String,
    /// Which kind of fault.
    pub(crate) code: FaultCode,
    /// What was wrong and what would be right, for people.
    pub(crate) message: String,
}

/// What can be wrong with an element before it is a trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultCode {
    /// Not JSON, or not an object.
    Malformed,
    /// A field that trades do not have.
    UnknownField,
    /// A field that is given twice.
    RepeatedField,
    /// A field that every trade has.
    MissingField,
    /// A value of another type.
    WrongType,
    /// A value that the field cannot have.
    InvalidValue,
}

impl FaultCode {
    /// Its name in JSON and metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::UnknownField => "unknown_field",
            Self::RepeatedField => "repeated_field",
            Self::MissingField => "missing_field",
            Self::WrongType => "wrong_type",
            Self::InvalidValue => "invalid_value",
        }
    }
}

impl Fault {
    /// A fault of a field.
    pub(crate) fn new(field: &str, code: FaultCode, message: impl Into<String>) -> Self {
        Self {
            field: field.to_owned(),
            code,
            message: message.into(),
        }
    }
}

impl Submission {
    /// An empty one of about so many elements; where it has a `sender`, trades without ids are
    /// known by it and their places.
    pub(crate) fn new(sender: Option<[u8; 16]>, elements: usize) -> Self {
        Self {
            trades: Vec::with_capacity(elements),
            indexes: Vec::with_capacity(elements),
            rejected: Vec::new(),
            sender,
        }
    }

    /// Adds the element at `index`.
    pub(crate) fn push(&mut self, index: usize, element: Result<(Instrument, Trade), Fault>) {
        match element {
            Ok((instrument, mut trade)) => {
                if trade.id.is_none() && trade.sender.is_none() {
                    trade.sender = self.sender.map(|key| Sender {
                        key,
                        index: index as u64,
                    });
                }
                self.trades.push((instrument, trade));
                self.indexes.push(index);
            }
            Err(fault) => self.rejected.push(Rejection {
                index,
                field: fault.field,
                code: fault.code.name(),
                message: fault.message,
            }),
        }
    }
}
