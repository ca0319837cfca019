//! Ranges of starts that lie in a bounded number of chunks.
//!
//! A statement locks every chunk between its bounds of `start`, with each of its indexes, until its
//! transaction ends. All sessions share the server's table of locks: see decision 22. A chunk is a
//! week, counted from 1970-01-01.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use sqlx::Row;

use super::bar_read_session::BarReadSession;
use super::database_error::DatabaseError;
use super::timestamptz::Timestamptz;

/// The starts in `[first, end)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BarStartRange {
    pub(super) first: Timestamptz,
    pub(super) end: Timestamptz,
}

/// Selects where the last `$2` weeks with closed bars before `$1` begin; no row if there are fewer.
const SELECT_START_OF_LAST_WEEKS: &str = "WITH RECURSIVE weeks (number, start) AS ( \
    SELECT 1, date_bin('168 hours', max(day), TIMESTAMPTZ '1970-01-01 00:00:00+00') \
    FROM bar_days WHERE day < $1 \
    UNION ALL SELECT number + 1, \
    (SELECT date_bin('168 hours', max(day), TIMESTAMPTZ '1970-01-01 00:00:00+00') \
     FROM bar_days WHERE day < weeks.start) \
    FROM weeks WHERE start IS NOT NULL AND number < $2) \
    SELECT min(start) FROM weeks HAVING count(start) = $2";

/// Selects where the first `$2` weeks with closed bars end, of those that end after `$1`, which is
/// the start of a day; no row if there are fewer.
const SELECT_END_OF_FIRST_WEEKS: &str = "WITH RECURSIVE weeks (number, end_time) AS ( \
    SELECT 1, date_bin('168 hours', min(day), TIMESTAMPTZ '1970-01-01 00:00:00+00') \
    + INTERVAL '168 hours' FROM bar_days WHERE day >= $1 \
    UNION ALL SELECT number + 1, \
    (SELECT date_bin('168 hours', min(day), TIMESTAMPTZ '1970-01-01 00:00:00+00') \
     + INTERVAL '168 hours' FROM bar_days WHERE day >= weeks.end_time) \
    FROM weeks WHERE end_time IS NOT NULL AND number < $2) \
    SELECT max(end_time) FROM weeks HAVING count(end_time) = $2";

impl BarStartRange {
    /// Returns whether the range lies in `max_chunks` chunks at most.
    pub(super) fn fits_in(self, max_chunks: u32) -> bool {
        self.end <= self.first
            || self.first.chunk_weeks_touched_until(self.end) <= i64::from(max_chunks)
    }

    /// Returns the part of the range at its newest or oldest end that lies in `max_chunks` chunks
    /// with bars; all of it if it has no more.
    ///
    /// It goes by `bar_days`. If that lacks days, because someone has inserted bars, the part has
    /// more chunks; it never leaves a gap.
    pub(super) async fn end_part(
        self,
        session: &mut BarReadSession<'_>,
        is_newest: bool,
        max_chunks: u32,
    ) -> Result<Self, DatabaseError> {
        let (sql, from) = match is_newest {
            true => (SELECT_START_OF_LAST_WEEKS, self.end),
            false => (SELECT_END_OF_FIRST_WEEKS, self.first.day_start()),
        };
        let select = sqlx::query(sql).bind(from).bind(i64::from(max_chunks));
        let Some(row) = select.fetch_optional(session.session()).await? else {
            return Ok(self);
        };
        let bound: Timestamptz = row.try_get(0)?;
        let part = match is_newest {
            true => Self {
                first: bound.max(self.first),
                ..self
            },
            false => Self {
                end: bound.min(self.end),
                ..self
            },
        };
        Ok(part)
    }

    /// Returns the range without `part`, which [`BarStartRange::end_part`] returned.
    pub(super) fn without_end_part(self, part: Self, is_newest: bool) -> Self {
        match is_newest {
            true => Self {
                end: part.first,
                ..self
            },
            false => Self {
                first: part.end,
                ..self
            },
        }
    }
}

/// The weeks whose closed bars one commit writes to `bars`.
pub(super) enum WeeksOfCommit {
    All,
    These(BTreeSet<Timestamptz>),
}

impl WeeksOfCommit {
    /// Chooses `max_chunks` weeks at most: those with the most of some closed bars, and of equal
    /// ones the newest.
    pub(super) fn choose(starts: impl Iterator<Item = Timestamptz>, max_chunks: u32) -> Self {
        let mut counts: BTreeMap<Timestamptz, usize> = BTreeMap::new();
        for start in starts {
            *counts.entry(start.chunk_week_start()).or_default() += 1;
        }
        let max_weeks = usize::try_from(max_chunks).unwrap_or(usize::MAX);
        if counts.len() <= max_weeks {
            return Self::All;
        }
        let mut weeks: Vec<_> = counts.into_iter().collect();
        weeks.sort_unstable_by_key(|(week, count)| Reverse((*count, *week)));
        weeks.truncate(max_weeks);
        Self::These(weeks.into_iter().map(|(week, _)| week).collect())
    }

    /// Returns whether a closed bar that starts at `start` is written to `bars`.
    pub(super) fn contain(&self, start: Timestamptz) -> bool {
        match self {
            Self::All => true,
            Self::These(weeks) => weeks.contains(&start.chunk_week_start()),
        }
    }
}

/// Returns ranges that contain all of some starts, in ascending order. Each begins and ends with a
/// week and lies in `max_chunks` chunks at most.
pub(super) fn cover_starts(
    starts: impl IntoIterator<Item = Timestamptz>,
    max_chunks: u32,
) -> Vec<BarStartRange> {
    let mut starts: Vec<_> = starts.into_iter().collect();
    starts.sort_unstable();
    let mut ranges: Vec<BarStartRange> = Vec::new();
    for start in starts {
        let end = start.next_chunk_week_start();
        match ranges.last_mut() {
            Some(range) if range.first.chunk_weeks_touched_until(end) <= i64::from(max_chunks) => {
                range.end = end;
            }
            _ => ranges.push(BarStartRange {
                first: start.chunk_week_start(),
                end,
            }),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use market::{DAY_NS, MINUTE_NS};

    use super::{BarStartRange, Timestamptz, WeeksOfCommit, cover_starts};

    fn day(day: i64) -> Timestamptz {
        Timestamptz::from_ns_rounded_up(day * DAY_NS)
    }

    #[test]
    fn starts_are_covered_by_ranges_of_few_weeks() {
        let range = |first, end| BarStartRange {
            first: day(first),
            end: day(end),
        };
        let starts = || [day(30), day(0), day(6), day(7), day(20), day(-1), day(700)];
        let two = [range(-7, 7), range(7, 21), range(28, 35), range(700, 707)];
        assert_eq!(cover_starts(starts(), 2), two);
        let all = [range(-7, 707)];
        assert_eq!(cover_starts(starts(), 102), all);
        assert_eq!(cover_starts([], 2), []);
        let times = [i64::MIN, i64::MAX].map(Timestamptz::from_ns_rounded_up);
        assert_eq!(cover_starts(times, 64).len(), 2);
    }

    #[test]
    fn a_commit_writes_the_weeks_with_the_most_bars() {
        let days = [0, 7, 8, 14, 21, 22, 28];
        let chosen = |max_chunks| {
            let weeks = WeeksOfCommit::choose(days.into_iter().map(day), max_chunks);
            let chosen = days.into_iter().filter(|of| weeks.contain(day(*of)));
            chosen.collect::<Vec<_>>()
        };
        assert_eq!(chosen(5), days);
        assert_eq!(chosen(3), [7, 8, 21, 22, 28]);
        assert_eq!(chosen(1), [21, 22]);
    }

    #[test]
    fn a_range_counts_the_weeks_that_it_touches() {
        let fits = |first_ns: i64, end_ns: i64, max_chunks| {
            let range = BarStartRange {
                first: Timestamptz::from_ns_rounded_up(first_ns),
                end: Timestamptz::from_ns_rounded_up(end_ns),
            };
            range.fits_in(max_chunks)
        };
        assert!(fits(0, 7 * DAY_NS, 1));
        assert!(!fits(0, 7 * DAY_NS + MINUTE_NS, 1));
        assert!(!fits(-MINUTE_NS, MINUTE_NS, 1) && fits(-MINUTE_NS, MINUTE_NS, 2));
        assert!(fits(MINUTE_NS, 0, 1) && fits(i64::MAX, i64::MIN, 1));
        assert!(!fits(i64::MIN, i64::MAX, 64));
    }
}
