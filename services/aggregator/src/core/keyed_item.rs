//! What a record's key names.

use market::{Instrument, RejectReason};

/// The symbol or instrument that a record's key names in this partition.
#[derive(Debug)]
pub(crate) enum ResolvedRecordKey {
    /// A symbol, by its index.
    Symbol(u32),
    /// An instrument of a declared venue that has no symbol in memory yet; the venue by its index.
    New(Instrument, usize),
    /// An instrument of a venue that was not declared.
    UnknownVenue,
    /// No instrument, or one of another partition.
    Rejected(RejectReason),
}
