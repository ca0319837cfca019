//! The settings that a venue declares.

use std::fmt;
use std::str::FromStr;

use crate::{
    Amendment, AmendmentKind, OLDEST_USUAL_TIME_NS, Position, RejectReason, SECOND_NS, Trade,
};

/// How a venue numbers its trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IdScheme {
    /// The numbers 1, 2, 3 …, which are stored as ranges. A missing number is a gap, which is
    /// counted and listed.
    Contiguous,
    /// Unique ids such as UUIDs, or rising numbers that may skip some. Gaps are not detected.
    Unique,
    /// No ids: the sender or the position in the log identifies a trade.
    None,
}

/// What a venue's ids are unique within.
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

impl IdScope {
    /// Returns whether a trade has to name the exchange or the file.
    pub(crate) const fn needs_scope_name(self) -> bool {
        matches!(self, Self::Exchange | Self::File)
    }
}

/// The order of trades of equal event time, which decides the open and the close of a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TieOrder {
    /// By id: numbers as numbers, then other ids as bytes, then trades without one; then by scope;
    /// then by position in the log.
    Id,
    /// By position in the log alone, because the ids carry no order.
    Log,
}

impl TieOrder {
    /// Returns the order of venues that declare none: [`TieOrder::Id`] where ids are contiguous
    /// within the symbol or its day, because these numbers rise as trades happen; else
    /// [`TieOrder::Log`].
    #[must_use]
    pub const fn default_for(scheme: IdScheme, scope: IdScope) -> Self {
        match (scheme, scope) {
            (IdScheme::Contiguous, IdScope::Symbol | IdScope::Day) => Self::Id,
            _ => Self::Log,
        }
    }
}

/// The settings of a venue, in force starting at their position in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VenueSettings {
    /// How trades are numbered. Only the first settings of the venue can choose it.
    pub scheme: IdScheme,
    /// What ids are unique within. Only the first settings of the venue can choose it.
    pub scope: IdScope,
    /// How trades of equal event time are ordered. Only the first settings of the venue can choose
    /// it.
    pub ties: TieOrder,
    /// How long a window stays open for late trades after its end, in event time.
    pub lateness_ns: i64,
    /// How long a symbol may have no trades before its watermark advances with the append times of
    /// the log.
    pub idle_ns: i64,
    /// Whether prices of zero and below are accepted, as for spreads and some futures.
    pub nonpositive_prices: bool,
    /// Whether event times before [`OLDEST_USUAL_TIME_NS`] are accepted.
    pub old_times: bool,
}

impl Default for VenueSettings {
    /// Returns unique ids within the symbol, ties in the order of the log, 2 s of lateness, 5 s
    /// until idle, prices above zero, times from 1973 on.
    fn default() -> Self {
        Self {
            scheme: IdScheme::Unique,
            scope: IdScope::Symbol,
            ties: TieOrder::Log,
            lateness_ns: 2 * SECOND_NS,
            idle_ns: 5 * SECOND_NS,
            nonpositive_prices: false,
            old_times: false,
        }
    }
}

impl VenueSettings {
    /// The greatest lateness and idle time: one day.
    pub const MAX_WAIT_NS: i64 = crate::DAY_NS;

    /// Returns the watermark of a symbol at an append time, in UTC nanoseconds. `watermark_ns` and
    /// `last_append_ns` are those of its last trade, or `i64::MIN` before the first. Once the symbol
    /// is idle, its watermark moves on by the append time that has passed since.
    #[inline]
    #[must_use]
    pub const fn watermark_at(
        &self,
        watermark_ns: i64,
        last_append_ns: i64,
        append_time_ns: i64,
    ) -> i64 {
        let silence_ns = append_time_ns.saturating_sub(last_append_ns);
        if watermark_ns == i64::MIN || silence_ns < self.idle_ns {
            return watermark_ns;
        }
        watermark_ns.saturating_add(silence_ns)
    }

    /// Checks that the time, price, id and scope of a trade are what these settings allow.
    ///
    /// # Errors
    /// [`RejectReason`], which names what the settings do not allow.
    pub fn validate_trade(&self, trade: &Trade) -> Result<(), RejectReason> {
        if trade.price.mantissa() <= 0 && !self.nonpositive_prices {
            return Err(RejectReason::PriceNotPositive);
        }
        self.validate_time_and_id(trade)
    }

    /// Checks that an edit or a cancel is what these settings allow, and that it names a trade.
    ///
    /// # Errors
    /// [`RejectReason`], which names what the settings do not allow.
    pub fn validate_amendment(
        &self,
        amendment: &Amendment,
        trade: &Trade,
    ) -> Result<(), RejectReason> {
        match amendment.kind {
            AmendmentKind::Edit => self.validate_trade(trade)?,
            AmendmentKind::Cancel => self.validate_time_and_id(trade)?,
        }
        if amendment.target_position.is_none() && self.trade_identity(trade).is_none() {
            return Err(RejectReason::TargetMissing);
        }
        Ok(())
    }

    fn validate_time_and_id(&self, trade: &Trade) -> Result<(), RejectReason> {
        if trade.time_ns < OLDEST_USUAL_TIME_NS && !self.old_times {
            return Err(RejectReason::TimeBefore1973);
        }
        match (self.scheme, &trade.id) {
            (IdScheme::Contiguous, None) => return Err(RejectReason::IdMissing),
            (IdScheme::Contiguous, Some(id)) if id.as_number().is_none() => {
                return Err(RejectReason::IdNotANumber);
            }
            (IdScheme::None, Some(_)) => return Err(RejectReason::IdUnexpected),
            _ => {}
        }
        if self.scope.needs_scope_name() && trade.id.is_some() && trade.scope.is_none() {
            return Err(RejectReason::ScopeMissing);
        }
        if !self.scope.needs_scope_name() && trade.scope.is_some() {
            return Err(RejectReason::ScopeUnexpected);
        }
        Ok(())
    }
}

/// A change of a venue's settings: what it does not name stays as it is, or has its default if the
/// venue is new.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SettingsChange {
    /// How trades are numbered.
    pub scheme: Option<IdScheme>,
    /// What ids are unique within.
    pub scope: Option<IdScope>,
    /// How trades of equal event time are ordered.
    pub ties: Option<TieOrder>,
    /// How long a window stays open for late trades after its end.
    pub lateness_ns: Option<i64>,
    /// How long a symbol may have no trades before its watermark advances with the append times.
    pub idle_ns: Option<i64>,
    /// Whether prices of zero and below are accepted.
    pub nonpositive_prices: Option<bool>,
    /// Whether event times before 1973 are accepted.
    pub old_times: Option<bool>,
}

/// A change names another id scheme, id scope or tie order than the venue's first settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedSettingsConflict {
    /// The name in JSON of the first such setting.
    pub field: &'static str,
}

impl SettingsChange {
    /// Returns the change that names every setting.
    #[must_use]
    pub const fn of_all(settings: &VenueSettings) -> Self {
        Self {
            scheme: Some(settings.scheme),
            scope: Some(settings.scope),
            ties: Some(settings.ties),
            lateness_ns: Some(settings.lateness_ns),
            idle_ns: Some(settings.idle_ns),
            nonpositive_prices: Some(settings.nonpositive_prices),
            old_times: Some(settings.old_times),
        }
    }

    /// Returns the settings after the change; `before` is `None` if the venue is new.
    ///
    /// # Errors
    /// [`FixedSettingsConflict`] if the change names another scheme, scope or tie order than those
    /// before.
    pub fn apply_to(
        &self,
        before: Option<&VenueSettings>,
    ) -> Result<VenueSettings, FixedSettingsConflict> {
        let default = VenueSettings::default();
        let base = before.unwrap_or(&default);
        let scheme = self.scheme.unwrap_or(base.scheme);
        let scope = self.scope.unwrap_or(base.scope);
        let default_ties = match before {
            Some(before) => before.ties,
            None => TieOrder::default_for(scheme, scope),
        };
        let ties = self.ties.unwrap_or(default_ties);
        if let Some(before) = before {
            let differing = [
                ("id_scheme", before.scheme != scheme),
                ("id_scope", before.scope != scope),
                ("ties", before.ties != ties),
            ];
            if let Some((field, _)) = differing.into_iter().find(|(_, differs)| *differs) {
                return Err(FixedSettingsConflict { field });
            }
        }
        Ok(VenueSettings {
            scheme,
            scope,
            ties,
            lateness_ns: self.lateness_ns.unwrap_or(base.lateness_ns),
            idle_ns: self.idle_ns.unwrap_or(base.idle_ns),
            nonpositive_prices: self.nonpositive_prices.unwrap_or(base.nonpositive_prices),
            old_times: self.old_times.unwrap_or(base.old_times),
        })
    }
}

/// A venue's settings with the position of their last change in partition 0, which orders all
/// changes: of two states of a venue's settings the later one counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeclaredSettings {
    /// The settings.
    pub settings: VenueSettings,
    /// The position, in partition 0 of `trades`, of the record that resulted in them.
    pub declared_at: Position,
}

/// Implements `ALL`, `name`, `Display` and `FromStr` for an enum whose variants have names.
macro_rules! impl_names {
    ($type:ident { $($variant:ident = $name:literal),+ $(,)? }) => {
        impl $type {
            /// Every variant.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Returns its name in JSON and on the command line.
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
                Self::ALL.iter().copied().find(|variant| variant.name() == text).ok_or_else(|| {
                    let names: Vec<_> = Self::ALL.iter().map(|variant| variant.name()).collect();
                    let text: String = text.chars().take(32).collect();
                    format!("{text:?} is not one of {}", names.join(", "))
                })
            }
        }
    };
}

impl_names!(IdScheme { Contiguous = "contiguous", Unique = "unique", None = "none" });
impl_names!(IdScope { Symbol = "symbol", Day = "day", Exchange = "exchange", File = "file" });
impl_names!(TieOrder { Id = "id", Log = "log" });

#[cfg(test)]
mod tests {
    use super::{IdScheme, IdScope, SettingsChange, TieOrder, VenueSettings};
    use crate::{Amendment, AmendmentKind, OLDEST_USUAL_TIME_NS, RejectReason, Trade, TradeId};

    fn validate(
        settings: VenueSettings,
        price: &str,
        id: &str,
        scope: &str,
    ) -> Result<(), RejectReason> {
        settings.validate_trade(&trade(OLDEST_USUAL_TIME_NS, price, id, scope))
    }

    fn trade(time_ns: i64, price: &str, id: &str, scope: &str) -> Trade {
        Trade {
            time_ns,
            price: price.parse().unwrap(),
            quantity: None,
            side: None,
            id: TradeId::parse(id).ok(),
            scope: (!scope.is_empty()).then(|| scope.into()),
            sender: None,
        }
    }

    #[test]
    fn each_name_parses_as_its_variant() {
        for scheme in IdScheme::ALL {
            assert_eq!(scheme.name().parse(), Ok(*scheme));
        }
        for scope in IdScope::ALL {
            assert_eq!(scope.name().parse(), Ok(*scope));
        }
        for ties in TieOrder::ALL {
            assert_eq!(ties.name().parse(), Ok(*ties));
        }
        let error = "uuid".parse::<IdScheme>().unwrap_err();
        assert_eq!(error, "\"uuid\" is not one of contiguous, unique, none");
    }

    #[test]
    fn a_trade_must_follow_the_settings_of_its_venue() {
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
            (
                contiguous,
                "1",
                "7",
                "NYSE",
                Err(RejectReason::ScopeUnexpected),
            ),
            (none, "1", "", "", Ok(())),
            (none, "1", "7", "", Err(RejectReason::IdUnexpected)),
        ];
        for (settings, price, id, scope, expected) in cases {
            assert_eq!(
                validate(settings, price, id, scope),
                expected,
                "{settings:?} {price} {id}"
            );
        }
    }

    #[test]
    fn ids_decide_ties_by_default_only_where_they_rise_as_trades_happen() {
        for scheme in IdScheme::ALL.iter().copied() {
            for scope in IdScope::ALL.iter().copied() {
                let rises = scheme == IdScheme::Contiguous
                    && matches!(scope, IdScope::Symbol | IdScope::Day);
                let expected = if rises { TieOrder::Id } else { TieOrder::Log };
                assert_eq!(TieOrder::default_for(scheme, scope), expected);
            }
        }
        let default = VenueSettings::default();
        assert_eq!(
            default.ties,
            TieOrder::default_for(default.scheme, default.scope)
        );
    }

    #[test]
    fn times_before_1973_need_the_setting_old_times() {
        let amendment = |kind| Amendment {
            id: TradeId::Number(1),
            kind,
            target_position: None,
        };
        for (time_ns, old_times, accepted) in [
            (OLDEST_USUAL_TIME_NS, false, true),
            (OLDEST_USUAL_TIME_NS - 1, false, false),
            (0, false, false),
            (0, true, true),
        ] {
            let settings = VenueSettings {
                old_times,
                ..VenueSettings::default()
            };
            let trade = trade(time_ns, "1", "7", "");
            let expected = match accepted {
                true => Ok(()),
                false => Err(RejectReason::TimeBefore1973),
            };
            assert_eq!(settings.validate_trade(&trade), expected, "{time_ns}");
            for kind in [AmendmentKind::Edit, AmendmentKind::Cancel] {
                let found = settings.validate_amendment(&amendment(kind), &trade);
                assert_eq!(found, expected, "{time_ns} {kind:?}");
            }
        }
    }

    #[test]
    fn a_change_keeps_what_it_does_not_name_and_cannot_change_what_is_fixed() {
        let first = SettingsChange {
            scheme: Some(IdScheme::Contiguous),
            scope: Some(IdScope::Day),
            lateness_ns: Some(1),
            ..SettingsChange::default()
        };
        let before = first.apply_to(None).unwrap();
        let expected = VenueSettings {
            scheme: IdScheme::Contiguous,
            scope: IdScope::Day,
            ties: TieOrder::Id,
            lateness_ns: 1,
            ..VenueSettings::default()
        };
        assert_eq!(before, expected);
        let change = SettingsChange {
            idle_ns: Some(2),
            nonpositive_prices: Some(true),
            old_times: Some(true),
            ..SettingsChange::default()
        };
        let after = change.apply_to(Some(&before)).unwrap();
        let expected = VenueSettings {
            idle_ns: 2,
            nonpositive_prices: true,
            old_times: true,
            ..before
        };
        assert_eq!(after, expected);
        let same = SettingsChange::of_all(&after);
        assert_eq!(same.apply_to(Some(&after)), Ok(after));
        assert_eq!(same.apply_to(None), Ok(after));
        for (field, change) in [
            (
                "id_scheme",
                SettingsChange {
                    scheme: Some(IdScheme::None),
                    ..change
                },
            ),
            (
                "id_scope",
                SettingsChange {
                    scope: Some(IdScope::File),
                    ..change
                },
            ),
            (
                "ties",
                SettingsChange {
                    ties: Some(TieOrder::Log),
                    ..change
                },
            ),
        ] {
            let conflict = change.apply_to(Some(&before)).unwrap_err();
            assert_eq!(conflict.field, field);
        }
    }
}
