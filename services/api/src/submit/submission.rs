//! The trades of a request, and those elements that are none.

use std::borrow::Cow;
use std::collections::BTreeMap;

use market::{Instrument, RejectReason, Sender, Trade};
use schemas::api::RejectedTradeJson;

/// An answer lists so many rejections, and counts the others: else a small body of elements that
/// are no trades would make a large answer.
pub(crate) const LISTED_LIMIT: usize = 1_000;

/// The trades of a request, and those elements that are none.
#[derive(Debug, Default)]
pub(crate) struct Submission {
    /// What can be appended.
    pub(crate) trades: Vec<(Instrument, Trade)>,
    /// For each trade its place in the request.
    pub(crate) indexes: Vec<usize>,
    /// The first of the others, at most [`LISTED_LIMIT`].
    pub(crate) rejected: Vec<RejectedTradeJson>,
    /// How many of the others there are, listed or not.
    pub(crate) rejected_total: u64,
    /// How many elements were no trades, by code.
    pub(crate) faults: BTreeMap<&'static str, u64>,
    /// A digest of the request's Idempotency-Key.
    sender: Option<[u8; 16]>,
}

/// Why an element is no trade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Which field; empty where it is the whole.
    pub(crate) field: Cow<'static, str>,
    /// Which kind of fault.
    pub(crate) code: FaultCode,
    /// What was wrong and what would be right, for people.
    pub(crate) message: Cow<'static, str>,
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
    pub(crate) fn new(
        field: impl Into<Cow<'static, str>>,
        code: FaultCode,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            field: field.into(),
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
            sender,
            ..Self::default()
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
            Err(fault) => self.refuse(index, fault),
        }
    }

    fn refuse(&mut self, index: usize, fault: Fault) {
        let code = fault.code.name();
        self.rejected_total += 1;
        *self.faults.entry(code).or_default() += 1;
        if self.rejected.len() < LISTED_LIMIT {
            self.rejected.push(RejectedTradeJson {
                index,
                field: fault.field,
                code: code.into(),
                message: fault.message,
            });
        }
    }

    /// Adds what the producer has refused, by the places of the trades that it was given,
    /// ascending; of all the first remain listed.
    pub(crate) fn reject(&mut self, refused: &[(usize, RejectReason)]) {
        self.rejected_total += refused.len() as u64;
        for (place, reject) in refused.iter().take(LISTED_LIMIT) {
            self.rejected.push(RejectedTradeJson {
                index: self.indexes[*place],
                field: reject.field().into(),
                code: reject.code().into(),
                message: reject.explanation().into(),
            });
        }
        self.rejected.sort_by_key(|rejection| rejection.index);
        self.rejected.truncate(LISTED_LIMIT);
    }
}

#[cfg(test)]
mod tests;
