//! Why a record is not counted, and the checks that need only a trade and its append time.

use std::borrow::Cow;

use crate::{MINUTE_NS, Trade, describe_plausible_unit};

/// How far the event time of a trade may be after its append time.
pub const FUTURE_LIMIT_NS: i64 = 5 * MINUTE_NS;

/// Why a record is not counted. The set is closed, and the code of each reason never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RejectReason {
    /// The bytes are not a record of a known version and kind.
    Malformed,
    /// The key is not `venue:symbol`.
    KeyMalformed,
    /// The record is in a partition other than its key belongs to.
    Misrouted,
    /// The event time is before 1970.
    TimeBefore1970,
    /// The event time is before 1973, and the settings of the venue do not allow that.
    TimeBefore1973,
    /// The event time is more than [`FUTURE_LIMIT_NS`] after the append time.
    TimeInFuture,
    /// The quantity is below zero.
    QuantityNegative,
    /// The venue was not declared before the trade.
    VenueUnknown,
    /// The venue was retired before the trade, the edit or the cancel.
    VenueRetired,
    /// The price is zero or below, and the settings of the venue do not allow that.
    PriceNotPositive,
    /// The ids of the venue are contiguous numbers, and the trade has no id.
    IdMissing,
    /// The ids of the venue are contiguous numbers, and this id is not a number below 2^64.
    IdNotANumber,
    /// The venue was declared without ids, and the trade has one.
    IdUnexpected,
    /// Ids are unique within an exchange or a file, and the trade names neither.
    ScopeMissing,
    /// Ids are not unique within an exchange or a file, and the trade names one.
    ScopeUnexpected,
    /// A change of settings names another id scheme, id scope or tie order than the venue's first.
    SettingsConflict,
    /// The event-time hour is too old to be changed.
    BeyondHorizon,
    /// An edit or a cancel names no trade, or a trade whose position is after its own.
    TargetMissing,
    /// A refold was folded from another number of trades than its minute has counted.
    RefoldRefused,
    /// The store refused the record's effects, although the record is legal.
    Unstorable,
    /// The venue would be one more than there may be. A producer refuses it; no record is rejected
    /// for it.
    VenueLimit,
    /// The symbol would be one more than there may be. A producer refuses it; no record is rejected
    /// for it.
    SymbolLimit,
}

impl RejectReason {
    /// Every reason.
    pub const ALL: [Self; 22] = [
        Self::Malformed,
        Self::KeyMalformed,
        Self::Misrouted,
        Self::TimeBefore1970,
        Self::TimeBefore1973,
        Self::TimeInFuture,
        Self::QuantityNegative,
        Self::VenueUnknown,
        Self::VenueRetired,
        Self::PriceNotPositive,
        Self::IdMissing,
        Self::IdNotANumber,
        Self::IdUnexpected,
        Self::ScopeMissing,
        Self::ScopeUnexpected,
        Self::SettingsConflict,
        Self::BeyondHorizon,
        Self::TargetMissing,
        Self::RefoldRefused,
        Self::Unstorable,
        Self::VenueLimit,
        Self::SymbolLimit,
    ];

    /// Returns its name in records, metrics and JSON.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::KeyMalformed => "key_malformed",
            Self::Misrouted => "misrouted",
            Self::TimeBefore1970 => "time_before_1970",
            Self::TimeBefore1973 => "time_before_1973",
            Self::TimeInFuture => "time_in_future",
            Self::QuantityNegative => "quantity_negative",
            Self::VenueUnknown => "venue_unknown",
            Self::VenueRetired => "venue_retired",
            Self::PriceNotPositive => "price_not_positive",
            Self::IdMissing => "id_missing",
            Self::IdNotANumber => "id_not_a_number",
            Self::IdUnexpected => "id_unexpected",
            Self::ScopeMissing => "scope_missing",
            Self::ScopeUnexpected => "scope_unexpected",
            Self::SettingsConflict => "settings_conflict",
            Self::BeyondHorizon => "beyond_horizon",
            Self::TargetMissing => "target_missing",
            Self::RefoldRefused => "refold_refused",
            Self::Unstorable => "unstorable",
            Self::VenueLimit => "venue_limit",
            Self::SymbolLimit => "symbol_limit",
        }
    }

    /// Returns a text for users: what is wrong, and what would be right.
    #[must_use]
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::Malformed => "the bytes are not a record of a known version and kind",
            Self::KeyMalformed => "the record's key is not of the form venue:symbol",
            Self::Misrouted => {
                "the record does not belong in this partition, or is a copy of settings of another generation of the log"
            }
            Self::TimeBefore1970 => "time is before 1970-01-01T00:00:00Z",
            Self::TimeBefore1973 => {
                "time is before 1973; the venue's setting old_times would allow it"
            }
            Self::TimeInFuture => "time is more than 5 minutes ahead of the clock",
            Self::QuantityNegative => "quantity is negative; leave it out for a trade without size",
            Self::VenueUnknown => "the venue has not been declared; put its settings first",
            Self::VenueRetired => {
                "the venue has been retired; its name alone means the next generation"
            }
            Self::PriceNotPositive => {
                "price is not above zero; the venue's setting nonpositive_prices would allow it"
            }
            Self::IdMissing => "id is missing; the venue's ids are contiguous numbers",
            Self::IdNotANumber => {
                "id is not a whole number below 2^64; the venue's ids are contiguous numbers"
            }
            Self::IdUnexpected => "id is given, but the venue was declared without ids",
            Self::ScopeMissing => {
                "scope is missing; the venue's ids are unique within an exchange or a file"
            }
            Self::ScopeUnexpected => {
                "scope is given, but the venue's ids are unique within the symbol or its day"
            }
            Self::SettingsConflict => {
                "the venue's first settings have fixed another id scheme, id scope or tie order"
            }
            Self::BeyondHorizon => {
                "the hour was first recorded more than 6 days ago and can no longer change"
            }
            Self::TargetMissing => {
                "the edit or cancel names no trade; give its id, or its position in the log"
            }
            Self::RefoldRefused => {
                "the ticks of the minute are not all there, so its bar stays as it is"
            }
            Self::Unstorable => "the bar store refused what the record would have changed",
            Self::VenueLimit => {
                "there are as many venues as there may be; an operator can raise --max-venues"
            }
            Self::SymbolLimit => {
                "there are as many symbols as there may be; an operator can raise --max-symbols"
            }
        }
    }

    /// Returns a text for users about a trade of the event time `time_ns`: the explanation, and the
    /// unit in which the time would be plausible if it is in the wrong one.
    #[must_use]
    pub fn explanation_with_unit(self, time_ns: i64) -> Cow<'static, str> {
        let is_early = matches!(self, Self::TimeBefore1970 | Self::TimeBefore1973);
        match describe_plausible_unit(time_ns).filter(|_| is_early) {
            Some(unit) => format!(
                "{}; integers are nanoseconds since 1970, and {unit}",
                self.explanation()
            )
            .into(),
            None => self.explanation().into(),
        }
    }

    /// Returns the name of the field that is at fault; empty if the whole record is.
    #[must_use]
    pub const fn faulty_field(self) -> &'static str {
        match self {
            Self::Malformed | Self::RefoldRefused | Self::Unstorable => "",
            Self::KeyMalformed | Self::Misrouted | Self::SymbolLimit => "symbol",
            Self::TimeBefore1970
            | Self::TimeBefore1973
            | Self::TimeInFuture
            | Self::BeyondHorizon => "time",
            Self::QuantityNegative => "quantity",
            Self::VenueUnknown | Self::VenueRetired | Self::SettingsConflict | Self::VenueLimit => {
                "venue"
            }
            Self::PriceNotPositive => "price",
            Self::IdMissing | Self::IdNotANumber | Self::IdUnexpected | Self::TargetMissing => "id",
            Self::ScopeMissing | Self::ScopeUnexpected => "scope",
        }
    }

    /// Returns the reason with a code.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }
}

/// Makes the checks that need only a trade and its append time.
///
/// The aggregator and the archiver both call this function, so a trade that it rejects never
/// becomes a tick.
///
/// # Errors
/// [`RejectReason`] if the trade must not be counted.
pub fn validate_trade_of_any_venue(trade: &Trade, append_time_ns: i64) -> Result<(), RejectReason> {
    if trade.time_ns < 0 {
        return Err(RejectReason::TimeBefore1970);
    }
    if trade.time_ns > append_time_ns.saturating_add(FUTURE_LIMIT_NS) {
        return Err(RejectReason::TimeInFuture);
    }
    if trade.quantity.is_some_and(crate::Decimal::is_negative) {
        return Err(RejectReason::QuantityNegative);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{FUTURE_LIMIT_NS, RejectReason, validate_trade_of_any_venue};
    use crate::Trade;

    fn trade(time_ns: i64, quantity: Option<&str>) -> Trade {
        Trade {
            time_ns,
            price: "1".parse().unwrap(),
            quantity: quantity.map(|quantity| quantity.parse().unwrap()),
            side: None,
            id: None,
            scope: None,
            sender: None,
        }
    }

    #[test]
    fn each_has_a_code_of_its_own() {
        let codes: BTreeSet<_> = RejectReason::ALL
            .iter()
            .map(|reason| reason.code())
            .collect();
        assert_eq!(codes.len(), RejectReason::ALL.len());
        for reason in RejectReason::ALL {
            assert_eq!(RejectReason::from_code(reason.code()), Some(reason));
        }
        assert_eq!(RejectReason::from_code("late"), None);
    }

    #[test]
    fn a_time_in_the_wrong_unit_is_explained() {
        let explain = |reason: RejectReason, time_ns| reason.explanation_with_unit(time_ns);
        assert_eq!(
            explain(RejectReason::TimeBefore1973, 1_709_251_200_000),
            "time is before 1973; the venue's setting old_times would allow it; integers are \
             nanoseconds since 1970, and as milliseconds this is 2024-03-01T00:00:00Z"
        );
        for (reason, time_ns) in [
            (RejectReason::TimeBefore1973, 0),
            (RejectReason::TimeBefore1970, -1),
            (RejectReason::PriceNotPositive, 1_709_251_200_000),
        ] {
            assert_eq!(explain(reason, time_ns), reason.explanation());
        }
    }

    #[test]
    fn a_trade_is_validated_against_its_append_time() {
        let cases = [
            (trade(0, None), 0, Ok(())),
            (trade(-1, None), 0, Err(RejectReason::TimeBefore1970)),
            (
                trade(i64::MIN, None),
                i64::MIN,
                Err(RejectReason::TimeBefore1970),
            ),
            (trade(FUTURE_LIMIT_NS, None), 0, Ok(())),
            (
                trade(FUTURE_LIMIT_NS + 1, None),
                0,
                Err(RejectReason::TimeInFuture),
            ),
            (trade(i64::MAX, None), i64::MAX, Ok(())),
            (trade(0, Some("0")), 0, Ok(())),
            (trade(0, Some("-0")), 0, Ok(())),
            (
                trade(0, Some("-0.1")),
                0,
                Err(RejectReason::QuantityNegative),
            ),
        ];
        for (trade, append_time_ns, expected) in cases {
            assert_eq!(
                validate_trade_of_any_venue(&trade, append_time_ns),
                expected,
                "{trade:?}"
            );
        }
    }
}
