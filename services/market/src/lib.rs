//! The values that Candlewick computes with, exact and pure: no I/O, no clock, no floats.
//!
//! | value | what it is |
//! |---|---|
//! | [`Decimal`] | a price or quantity: a mantissa below 10^18 in size, a scale of 0 to 18 |
//! | [`Sum`] | an exact sum of quantities or of products: 320 bits, so a fold cannot overflow |
//! | [`Venue`], [`Symbol`], [`Instrument`] | who trades, what is traded, both together |
//! | [`Trade`], [`TradeId`] | one trade, and the number its venue gave it |
//! | [`Amendment`] | an edit or a cancel of a trade |
//! | [`VenueSettings`] | how a venue numbers trades and when its windows close |
//! | [`Interval`], [`Window`] | tumbling windows `[start, end)`, labelled by their start |
//! | [`DayStart`] | days that begin at any quarter hour of any zone |
//! | [`Bar`], [`BarRow`] | the monoid of trades, and a bar with what the log's order adds to it |
//! | [`Position`] | where a record lies in the log of a partition: epoch, then offset |
//! | [`RejectReason`] | why a trade is not counted |
//!
//! Times are UTC nanoseconds since 1970 in an `i64`, which ends in the year 2262.
#![deny(clippy::float_arithmetic)]

mod amendment;
mod bar;
mod day;
mod decimal;
mod id;
mod identity;
mod instrument;
mod interval;
mod position;
mod reject;
mod retention;
mod settings;
#[cfg(test)]
mod strategies;
mod sum;
mod time;
mod trade;
mod wide;

pub use amendment::{Amendment, AmendmentKind};
pub use bar::{Bar, BarRow, EdgeTrade};
pub use day::{DayError, DayStart};
pub use decimal::{Decimal, DecimalError, POWERS_OF_TEN};
pub use id::{IdError, TradeId};
pub use identity::{IdRef, Identity};
pub use instrument::{Instrument, NameError, Symbol, Venue};
pub use interval::{Interval, UnknownInterval, Window};
pub use position::Position;
pub use reject::{FUTURE_LIMIT_NS, RejectReason, check};
pub use retention::{BAR_RETENTION_NS, HORIZON_NS, TICK_RETENTION_NS, VERDICT_RETENTION_NS};
pub use settings::{IdScheme, IdScope, VenueSettings};
pub use sum::{Sum, SumError, mean};
pub use time::{
    DAY_NS, HOUR_NS, MILLISECOND_NS, MINUTE_NS, SECOND_NS, TimeError, format_time, parse_time,
};
pub use trade::{Sender, Side, Trade};
