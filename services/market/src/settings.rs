//! The settings that a venue declares.

mod change;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use crate::{Amendment, AmendmentKind, OLDEST_USUAL_TIME_NS, RejectReason, SECOND_NS, Trade};

pub use self::change::{DeclaredSettings, FixedSettingsConflict, SettingsChange};

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
    /// Whether the venue is retired: no further trades, edits or cancels are accepted. Nothing ends
    /// that; the name begins another generation.
    pub retired: bool,
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
            retired: false,
        }
    }
}

impl VenueSettings {
    /// The greatest lateness and idle time: one day.
    pub const MAX_WAIT_NS: i64 = crate::DAY_NS;

    /// Returns the watermark of a symbol at an append time, in UTC nanoseconds. `watermark_ns` and
    /// `last_append_ns` are those of its last trade, or `i64::MIN` before the first. Once the
    /// symbol is idle, its watermark moves on by the append time that has passed since.
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
        self.require_not_retired()?;
        if trade.price.mantissa() <= 0 && !self.nonpositive_prices {
            return Err(RejectReason::PriceNotPositive);
        }
        self.validate_time_and_id(trade)
    }

    /// Checks that an edit or a cancel, with the trade that its record carries, is what these
    /// settings allow, and that it names a trade.
    ///
    /// # Errors
    /// [`RejectReason`], which names what the settings do not allow.
    pub fn validate_amendment(
        &self,
        amendment: &Amendment,
        carried_trade: &Trade,
    ) -> Result<(), RejectReason> {
        self.require_not_retired()?;
        match amendment.kind {
            AmendmentKind::Edit => self.validate_trade(carried_trade)?,
            AmendmentKind::Cancel => self.validate_time_and_id(carried_trade)?,
        }
        if amendment.target_position.is_none() && self.trade_identity(carried_trade).is_none() {
            return Err(RejectReason::TargetMissing);
        }
        Ok(())
    }

    const fn require_not_retired(&self) -> Result<(), RejectReason> {
        match self.retired {
            true => Err(RejectReason::VenueRetired),
            false => Ok(()),
        }
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
