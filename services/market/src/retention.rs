//! How long things are kept, counted from when the log took them.

use crate::{DAY_NS, HOUR_NS};

/// How long after its first trade was appended an event-time hour can still change, and sets of
/// ids that belong to an hour or a day are asked. Below the time that ticks are kept.
pub const HORIZON_NS: i64 = 6 * DAY_NS;

/// How long ticks are kept.
pub const TICK_RETENTION_NS: i64 = 7 * DAY_NS;

/// How long it is kept which ticks are no trades, and sets of ids: a little longer than any
/// tick.
pub const VERDICT_RETENTION_NS: i64 = TICK_RETENTION_NS + HOUR_NS;

/// How long bars are kept.
pub const BAR_RETENTION_NS: i64 = 2 * 365 * DAY_NS;
