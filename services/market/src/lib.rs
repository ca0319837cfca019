//! The values that Candlewick computes with. All are exact and pure: no I/O, no clock, no floats.
//!
//! | value | what it is |
//! |---|---|
//! | [`Decimal`] | a price or quantity: a mantissa of at most 18 digits and a scale of 0 to 18 |
//! | [`ExactSum`] | an exact sum of quantities or products, in 320 bits so that it cannot overflow |
//! | [`Venue`], [`Symbol`], [`Instrument`] | where it is traded, what is traded, both together |
//! | [`Trade`], [`TradeId`] | one trade, and the id that its venue gave it |
//! | [`TradeIdentity`] | what identifies a trade, to recognise repeated deliveries |
//! | [`Amendment`] | an edit or a cancel of a trade |
//! | [`VenueSettings`] | how a venue numbers trades and when its windows close |
//! | [`Interval`], [`Window`] | tumbling windows `[start, end)`, labelled by their start |
//! | [`DayStart`] | when days begin: at any quarter hour of any time zone |
//! | [`Bar`], [`BarRow`] | the summary of a set of trades, and a bar as it is stored |
//! | [`Position`] | the position of a record in the log of a partition: epoch, then offset |
//! | [`RejectReason`] | why a record is not counted |
//! | [`TextKind`], [`validate_text`] | which names, ids and scopes are legal |
//!
//! Times are UTC nanoseconds since 1970 in an `i64`, whose range ends in the year 2262.
#![deny(clippy::float_arithmetic)]

mod amendment;
mod bar;
mod day;
mod decimal;
mod exact_sum;
mod instrument;
mod int320;
mod interval;
mod position;
mod reject_reason;
mod retention;
mod settings;
#[cfg(test)]
mod strategies;
mod time;
mod trade;
mod trade_id;
mod trade_identity;
mod value_domain;

pub use amendment::{Amendment, AmendmentKind};
pub use bar::{Bar, BarRow, EdgeTrade, TieKey};
pub use day::{DayError, DayStart};
pub use decimal::{Decimal, DecimalError, POWERS_OF_TEN};
pub use exact_sum::{ExactSum, ExactSumError, weighted_mean_text};
pub use instrument::{Instrument, Symbol, Venue};
pub use interval::{Interval, IntervalError, Window};
pub use position::Position;
pub use reject_reason::{FUTURE_LIMIT_NS, RejectReason, validate_trade_of_any_venue};
pub use retention::{
    AMENDMENT_RETENTION_NS, AMENDMENT_VERDICT_RETENTION_NS, BAR_RETENTION_NS, HORIZON_NS,
    TICK_RETENTION_NS, VERDICT_RETENTION_NS,
};
pub use settings::{
    DeclaredSettings, FixedSettingsConflict, IdScheme, IdScope, SettingsChange, TieOrder,
    VenueSettings,
};
pub use time::{
    DAY_NS, HOUR_NS, MILLISECOND_NS, MINUTE_NS, OLDEST_USUAL_TIME_NS, ParseTimeError, SECOND_NS,
    describe_plausible_unit, format_time, parse_time,
};
pub use trade::{SenderTradeId, Side, Trade};
pub use trade_id::TradeId;
pub use trade_identity::{TradeIdRef, TradeIdentity};
pub use value_domain::{
    MAX_GENERATION, TextError, TextKind, UNICODE_VERSION, normalize_symbol_to_nfc, validate_text,
};
