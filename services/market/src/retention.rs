//! How long data is kept, counted from the append time: the time at which the log accepted it.

use crate::{DAY_NS, HOUR_NS};

/// How long an event-time hour can change after its first trade was appended. For the same time,
/// new trades are compared with the sets of ids that belong to an hour or a day. It is shorter than
/// [`TICK_RETENTION_NS`].
pub const HORIZON_NS: i64 = 6 * DAY_NS;

/// How long ticks are kept.
pub const TICK_RETENTION_NS: i64 = 7 * DAY_NS;

/// How long excluded ranges and sets of ids are kept: a little longer than any tick.
pub const VERDICT_RETENTION_NS: i64 = TICK_RETENTION_NS + HOUR_NS;

/// How long bars are kept.
pub const BAR_RETENTION_NS: i64 = 2 * 365 * DAY_NS;
