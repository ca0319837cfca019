//! What a venue declares of itself.

use std::fmt;
use std::str::FromStr;

use crate::{Amendment, AmendmentKind, RejectReason, SECOND_NS, Trade};

/// How a venue numbers its trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IdScheme {
    /// 1, 2, 3 …: kept as ranges; a missing number is a gap, which is counted and listed.
    Contiguous,
    /// Exact ids such as UUIDs, or numbers that rise with holes: no claim about gaps.
    Unique,
    /// No ids: a trade is known by its place in the log.
    None,
}

/// Within what a venue's ids are unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IdScope {
    /// The symbol.
    Symbol,
    /// The symbol and the UTC day of the event time.
    Day,
    /// The symbol and the exchange that the trade names.
    Exchange,
    /// The symbol and the file that the trade came in.
    File,
}

/// A venue's settings, in force from their place in the log on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VenueSettings {
    /// How trades are numbered; fixed by the first settings of the venue.
    pub scheme: IdScheme,
    /// Within what; fixed by the first settings of the venue.
    pub scope: IdScope,
    /// How long after its end a window stays open for late trades, in event time.
    pub lateness_ns: i64,
    /// How long a symbol may be silent before its watermark runs on by the log's time.
    pub idle_ns: i64,
    /// Whether prices of nought and below are legal, as for spreads and some futures.
    pub nonpositive_prices: bool,
}

impl Default for VenueSettings {
    /// Exact ids within the symbol, 2 s of lateness, 5 s of silence, prices above nought.
    fn default() -> Self {
        Self {
            scheme: IdScheme::Unique,
            scope: IdScope::Symbol,
            lateness_ns: 2 * SECOND_NS,
            idle_ns: 5 * SECOND_NS,
            nonpositive_prices: false,
        }
    }
}

impl VenueSettings {
    /// The longest lateness and idle time: a day.
    pub const LONGEST_NS: i64 = crate::DAY_NS;

    /// Whether trades of this venue have to be within its rules: price, id and scope.
    ///
    /// # Errors
    /// [`RejectReason`], which says what the venue's settings do not allow.
    pub fn check(&self, trade: &Trade) -> Result<(), RejectReason> {
        if trade.price.mantissa() <= 0 && !self.nonpositive_prices {
            return Err(RejectReason::PriceNotPositive);
        }
        self.check_identity(trade)
    }

    /// Whether an edit or a cancel is within the rules of this venue, and names a trade.
    ///
    /// # Errors
    /// [`RejectReason`], which says what the venue's settings do not allow.
    pub fn check_amendment(
        &self,
        amendment: &Amendment,
        trade: &Trade,
    ) -> Result<(), RejectReason> {
        match amendment.kind {
            AmendmentKind::Edit => self.check(trade)?,
            AmendmentKind::Cancel => self.check_identity(trade)?,
        }
        if amendment.place.is_none() && self.identity(trade).is_none() {
            return Err(RejectReason::TargetMissing);
        }
        Ok(())
    }

    fn check_identity(&self, trade: &Trade) -> Result<(), RejectReason> {
        match (self.scheme, &trade.id) {
            (IdScheme::Contiguous, None) => return Err(RejectReason::IdMissing),
            (IdScheme::Contiguous, Some(id)) if id.number().is_none() => {
                return Err(RejectReason::IdNotANumber);
            }
            (IdScheme::None, Some(_)) => return Err(RejectReason::IdUnexpected),
            _ => {}
        }
        let scoped = matches!(self.scope, IdScope::Exchange | IdScope::File);
        if scoped && trade.id.is_some() && trade.scope.is_none() {
            return Err(RejectReason::ScopeMissing);
        }
        Ok(())
    }

    /// These settings as a later record may change them: the scheme and scope stay.
    #[must_use]
    pub const fn amended(&self, later: &Self) -> Self {
        Self {
            scheme: self.scheme,
            scope: self.scope,
            ..*later
        }
    }
}

macro_rules! names {
    ($type:ident { $($variant:ident = $name:literal),+ $(,)? }) => {
        impl $type {
            /// Every one of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Its name in JSON and on the command line.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(self.name())
            }
        }

        impl FromStr for $type {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                Self::ALL.iter().copied().find(|one| one.name() == text).ok_or_else(|| {
                    let names: Vec<_> = Self::ALL.iter().map(|one| one.name()).collect();
                    let text: String = text.chars().take(32).collect();
                    format!("{text:?} is not one of {}", names.join(", "))
                })
            }
        }
    };
}

names!(IdScheme { Contiguous = "contiguous", Unique = "unique", None = "none" });
names!(IdScope { Symbol = "symbol", Day = "day", Exchange = "exchange", File = "file" });

#[cfg(test)]
mod tests {
    use super::{IdScheme, IdScope, VenueSettings};
    use crate::{RejectReason, Trade, TradeId};

    fn check(
        settings: VenueSettings,
        price: &str,
        id: &str,
        scope: &str,
    ) -> Result<(), RejectReason> {
        settings.check(&Trade {
            time_ns: 0,
            price: price.parse().unwrap(),
            quantity: None,
            side: None,
            id: TradeId::parse(id).ok(),
            scope: (!scope.is_empty()).then(|| scope.into()),
            sender: None,
        })
    }

    #[test]
    fn each_name_reads_back() {
        for scheme in IdScheme::ALL {
            assert_eq!(scheme.name().parse(), Ok(*scheme));
        }
        for scope in IdScope::ALL {
            assert_eq!(scope.name().parse(), Ok(*scope));
        }
        let error = "uuid".parse::<IdScheme>().unwrap_err();
        assert_eq!(error, "\"uuid\" is not one of contiguous, unique, none");
    }

    #[test]
    fn a_trade_has_to_be_as_the_venue_declared() {
        let with = |scheme, scope| VenueSettings {
            scheme,
            scope,
            ..VenueSettings::default()
        };
        let contiguous = with(IdScheme::Contiguous, IdScope::Symbol);
        let unique = with(IdScheme::Unique, IdScope::Exchange);
        let none = with(IdScheme::None, IdScope::File);
        let free = VenueSettings {
            nonpositive_prices: true,
            ..contiguous
        };
        let longer = "18446744073709551616";
        let cases = [
            (contiguous, "1", "7", "", Ok(())),
            (contiguous, "1", "", "", Err(RejectReason::IdMissing)),
            (contiguous, "1", "x", "", Err(RejectReason::IdNotANumber)),
            (contiguous, "1", longer, "", Err(RejectReason::IdNotANumber)),
            (
                contiguous,
                "0",
                "7",
                "",
                Err(RejectReason::PriceNotPositive),
            ),
            (
                contiguous,
                "-1",
                "7",
                "",
                Err(RejectReason::PriceNotPositive),
            ),
            (free, "-1", "7", "", Ok(())),
            (unique, "1", "x", "NYSE", Ok(())),
            (unique, "1", "x", "", Err(RejectReason::ScopeMissing)),
            (unique, "1", "", "", Ok(())),
            (none, "1", "", "", Ok(())),
            (none, "1", "7", "", Err(RejectReason::IdUnexpected)),
        ];
        for (settings, price, id, scope, expected) in cases {
            assert_eq!(
                check(settings, price, id, scope),
                expected,
                "{settings:?} {price} {id}"
            );
        }
    }

    #[test]
    fn scheme_and_scope_are_fixed_by_the_first() {
        let first = VenueSettings {
            scheme: IdScheme::None,
            scope: IdScope::Day,
            ..VenueSettings::default()
        };
        let later = VenueSettings {
            lateness_ns: 1,
            idle_ns: 2,
            nonpositive_prices: true,
            ..VenueSettings::default()
        };
        let expected = VenueSettings {
            scheme: IdScheme::None,
            scope: IdScope::Day,
            ..later
        };
        assert_eq!(first.amended(&later), expected);
    }
}
