//! How long data is kept, counted from the append time: the time at which the log accepted it.

use crate::DAY_NS;

/// How long an event-time hour can change after its first trade was appended. For the same time,
/// new trades are compared with the sets of ids that belong to an hour or a day. It is shorter than
/// [`TICK_RETENTION_NS`].
pub const HORIZON_NS: i64 = 6 * DAY_NS;

/// How long ticks are kept.
pub const TICK_RETENTION_NS: i64 = 7 * DAY_NS;

/// How long edits and cancels are kept. One may be appended up to [`HORIZON_NS`] before its trade,
/// which is kept for [`TICK_RETENTION_NS`] after that, and up to a day longer by a store that drops
/// whole days.
pub const AMENDMENT_RETENTION_NS: i64 = 14 * DAY_NS;

/// How long excluded ranges of trades, and sets of ids, are kept: longer than any trade, which a
/// store that drops whole days keeps a day longer than [`TICK_RETENTION_NS`], and longer still if
/// it was away when they were due.
pub const VERDICT_RETENTION_NS: i64 = TICK_RETENTION_NS + 3 * DAY_NS;

/// How long excluded ranges of edits and cancels are kept: until every trade is gone that an edit
/// or a cancel of the same age could change.
pub const AMENDMENT_VERDICT_RETENTION_NS: i64 = AMENDMENT_RETENTION_NS + DAY_NS;

const _: () = assert!(AMENDMENT_RETENTION_NS >= HORIZON_NS + TICK_RETENTION_NS + DAY_NS);

/// How long bars are kept.
pub const BAR_RETENTION_NS: i64 = 2 * 365 * DAY_NS;
