//! The trades of a request, and its rejected elements.

use std::borrow::Cow;
use std::collections::BTreeMap;

use ingest::RejectedTrade;
use market::{Instrument, SenderTradeId, Trade};
use schemas::api::RejectedTradeJson;

/// The greatest number of rejected elements that a response lists; the others are only counted. A
/// small body with many bad elements must not cause a large response.
pub(crate) const MAX_LISTED_REJECTIONS: usize = 1_000;

/// The trades of a request, and its rejected elements.
#[derive(Debug, Default)]
pub(crate) struct TradeSubmission {
    /// The trades to append.
    pub(crate) trades: Vec<(Instrument, Trade)>,
    /// The index of each trade in the request.
    pub(crate) indexes: Vec<usize>,
    /// The first rejected elements, at most [`MAX_LISTED_REJECTIONS`].
    pub(crate) rejected: Vec<RejectedTradeJson>,
    /// The number of rejected elements, listed or not.
    pub(crate) rejected_total: u64,
    /// The number of elements that are not trades, by code.
    pub(crate) fault_counts: BTreeMap<&'static str, u64>,
    /// A digest of the request's Idempotency-Key and body.
    sender_key: Option<[u8; 16]>,
}

/// Why an element is not a trade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ElementFault {
    /// The field at fault; empty if it is the whole element.
    pub(crate) field: Cow<'static, str>,
    /// The kind of fault.
    pub(crate) code: FaultCode,
    /// What is wrong and what would be accepted, for people.
    pub(crate) message: Cow<'static, str>,
}

/// The kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultCode {
    /// Not JSON or MessagePack, or not an object.
    Malformed,
    /// A field that trades do not have.
    UnknownField,
    /// A field that is given twice.
    RepeatedField,
    /// A field that every trade must have is missing.
    MissingField,
    /// A value does not have the type of the field.
    WrongType,
    /// A value has the right type and is not valid.
    InvalidValue,
}

impl FaultCode {
    /// Returns the kind's name in JSON and metrics.
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

impl ElementFault {
    /// Returns a fault of a field.
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

impl TradeSubmission {
    /// Returns an empty submission with room for `capacity` trades. `sender_key` is a digest of the
    /// request's Idempotency-Key and body: with its index it identifies a trade without an id.
    pub(crate) fn new(sender_key: Option<[u8; 16]>, capacity: usize) -> Self {
        Self {
            trades: Vec::with_capacity(capacity),
            indexes: Vec::with_capacity(capacity),
            sender_key,
            ..Self::default()
        }
    }

    /// Adds the element at `index` of the request.
    pub(crate) fn push(
        &mut self,
        index: usize,
        element: Result<(Instrument, Trade), ElementFault>,
    ) {
        match element {
            Ok((instrument, mut trade)) => {
                if trade.id.is_none() && trade.sender.is_none() {
                    trade.sender = self.sender_key.map(|key| SenderTradeId {
                        key,
                        index: index as u64,
                    });
                }
                self.trades.push((instrument, trade));
                self.indexes.push(index);
            }
            Err(fault) => self.add_fault(index, fault),
        }
    }

    fn add_fault(&mut self, index: usize, fault: ElementFault) {
        let code = fault.code.name();
        self.rejected_total += 1;
        *self.fault_counts.entry(code).or_default() += 1;
        if self.rejected.len() < MAX_LISTED_REJECTIONS {
            self.rejected.push(RejectedTradeJson {
                index,
                field: fault.field,
                code: code.into(),
                message: fault.message,
            });
        }
    }

    /// Adds the trades that the producer rejected, each by its index in
    /// [`TradeSubmission::trades`], ascending. The first rejected elements remain listed.
    pub(crate) fn add_rejected(&mut self, rejected: &[RejectedTrade]) {
        self.rejected_total += rejected.len() as u64;
        for trade in rejected.iter().take(MAX_LISTED_REJECTIONS) {
            self.rejected.push(RejectedTradeJson {
                index: self.indexes[trade.index],
                field: trade.reason.faulty_field().into(),
                code: trade.reason.code().into(),
                message: trade.explanation(),
            });
        }
        self.rejected.sort_by_key(|rejection| rejection.index);
        self.rejected.truncate(MAX_LISTED_REJECTIONS);
    }
}

#[cfg(test)]
mod tests;
