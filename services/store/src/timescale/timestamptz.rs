//! Times as PostgreSQL's `TIMESTAMPTZ`.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{
    PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueFormat, PgValueRef, Postgres,
};
use sqlx::{Decode, Encode, Type};

use super::database_error::DatabaseError;

/// <https://github.com/postgres/postgres/blob/REL_17_STABLE/src/include/catalog/pg_type.dat>
const TIMESTAMPTZ: Oid = Oid(1184);
const TIMESTAMPTZ_ARRAY: Oid = Oid(1185);

/// The microseconds from 1970 to 2000, the year from which PostgreSQL counts.
const FROM_1970_TO_2000_US: i64 = 946_684_800_000_000;

const NS_PER_US: i64 = 1_000;

const WEEK_US: i64 = 7 * market::DAY_NS / NS_PER_US;

/// A time in whole microseconds since 1970, as a `TIMESTAMPTZ` holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Timestamptz {
    since_1970_us: i64,
}

impl Timestamptz {
    /// Converts the start of a bar.
    ///
    /// # Errors
    /// [`DatabaseError::Corrupt`] if the time is not a whole number of microseconds.
    pub(super) fn try_from_ns(time_ns: i64) -> Result<Self, DatabaseError> {
        if time_ns % NS_PER_US == 0 {
            return Ok(Self::from_ns_rounded_up(time_ns));
        }
        Err(DatabaseError::Corrupt(format!(
            "a bar starts at {time_ns} ns, which is between two microseconds"
        )))
    }

    /// Converts `time_ns` to microseconds, rounded up.
    pub(super) const fn from_ns_rounded_up(time_ns: i64) -> Self {
        let has_remainder = time_ns.rem_euclid(NS_PER_US) > 0;
        Self {
            since_1970_us: time_ns.div_euclid(NS_PER_US) + has_remainder as i64,
        }
    }

    /// Returns the start of the UTC day that contains the time.
    pub(super) const fn day_start(self) -> Self {
        let day_us = market::DAY_NS / NS_PER_US;
        Self {
            since_1970_us: self.since_1970_us.div_euclid(day_us) * day_us,
        }
    }

    /// Returns the start of the next UTC day.
    pub(super) const fn next_day_start(self) -> Self {
        Self {
            since_1970_us: self.day_start().since_1970_us + market::DAY_NS / NS_PER_US,
        }
    }

    /// Returns the start of the week that contains the time. Weeks are counted from 1970-01-01.
    pub(super) const fn chunk_week_start(self) -> Self {
        Self {
            since_1970_us: self.since_1970_us.div_euclid(WEEK_US) * WEEK_US,
        }
    }

    /// Returns the start of the next week.
    pub(super) const fn next_chunk_week_start(self) -> Self {
        Self {
            since_1970_us: self.chunk_week_start().since_1970_us + WEEK_US,
        }
    }

    /// Returns how many weeks contain a part of `[self, end)`. `end` must be after the time.
    pub(super) const fn chunk_weeks_touched_until(self, end: Self) -> i64 {
        let last_us = end.since_1970_us - 1;
        last_us.div_euclid(WEEK_US) - self.since_1970_us.div_euclid(WEEK_US) + 1
    }

    /// Converts the time to UTC nanoseconds.
    pub(super) fn to_ns(self) -> Result<i64, DatabaseError> {
        let time_ns = self.since_1970_us.checked_mul(NS_PER_US);
        time_ns.ok_or_else(|| {
            DatabaseError::malformed_value("start", format!("{} us", self.since_1970_us))
        })
    }

    /// Returns PostgreSQL's binary form.
    pub(super) const fn to_be_bytes(self) -> [u8; 8] {
        (self.since_1970_us - FROM_1970_TO_2000_US).to_be_bytes()
    }
}

impl Type<Postgres> for Timestamptz {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TIMESTAMPTZ)
    }
}

impl PgHasArrayType for Timestamptz {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TIMESTAMPTZ_ARRAY)
    }
}

impl Encode<'_, Postgres> for Timestamptz {
    fn encode_by_ref(&self, out: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        out.extend_from_slice(&self.to_be_bytes());
        Ok(IsNull::No)
    }
}

impl<'r> Decode<'r, Postgres> for Timestamptz {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        if value.format() == PgValueFormat::Text {
            return Err("a time came as text".into());
        }
        let since_2000_us = i64::from_be_bytes(value.as_bytes()?.try_into()?);
        let since_1970_us = since_2000_us.checked_add(FROM_1970_TO_2000_US);
        Ok(Self {
            since_1970_us: since_1970_us.ok_or("a time is infinite")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamptz;

    #[test]
    fn bounds_are_rounded_up_and_starts_are_not_rounded() {
        for (time_ns, since_1970_us) in [
            (0, 0),
            (1, 1),
            (1_000, 1),
            (-1, 0),
            (-1_000, -1),
            (-1_001, -1),
        ] {
            let bound = Timestamptz::from_ns_rounded_up(time_ns);
            assert_eq!(bound.since_1970_us, since_1970_us, "{time_ns}");
            let start = Timestamptz::try_from_ns(time_ns);
            assert_eq!(start.is_ok(), time_ns % 1_000 == 0, "{time_ns}");
        }
        for time_ns in [i64::MIN, i64::MAX] {
            let time = Timestamptz::from_ns_rounded_up(time_ns);
            assert!(time.day_start() <= time && time.next_day_start() > time);
        }
    }
}
