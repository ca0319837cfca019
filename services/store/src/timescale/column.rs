//! Values as columns.

use std::str::FromStr;

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{
    PgArgumentBuffer, PgHasArrayType, PgRow, PgTypeInfo, PgValueFormat, PgValueRef, Postgres,
};
use sqlx::{Decode, Encode, Row, Type};

use super::failure::Failure;
use super::numeric::Numeric;

/// <https://github.com/postgres/postgres/blob/REL_17_STABLE/src/include/catalog/pg_type.dat>
const TIMESTAMPTZ: Oid = Oid(1184);
const TIMESTAMPTZ_ARRAY: Oid = Oid(1185);

/// From 1970 to 2000, where PostgreSQL's microseconds begin.
const FROM_1970_TO_2000_US: i64 = 946_684_800_000_000;

const NS_IN_US: i64 = 1_000;

/// A time in whole microseconds since 1970, as a `TIMESTAMPTZ`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Instant {
    us: i64,
}

impl Instant {
    /// The start of a window.
    pub(super) fn exactly(time_ns: i64) -> Result<Self, Failure> {
        if time_ns % NS_IN_US == 0 {
            return Ok(Self::at_or_after(time_ns));
        }
        Err(Failure::Malformed(format!(
            "a bar starts at {time_ns} ns, which is between two microseconds"
        )))
    }

    /// The least that is not before a time.
    pub(super) const fn at_or_after(time_ns: i64) -> Self {
        let us = time_ns.div_euclid(NS_IN_US) + (time_ns.rem_euclid(NS_IN_US) > 0) as i64;
        Self { us }
    }

    /// The start of its UTC day.
    pub(super) const fn day(self) -> Self {
        let day_us = market::DAY_NS / NS_IN_US;
        Self {
            us: self.us.div_euclid(day_us) * day_us,
        }
    }

    /// The start of the next UTC day.
    pub(super) const fn next_day(self) -> Self {
        Self {
            us: self.day().us + market::DAY_NS / NS_IN_US,
        }
    }

    /// In UTC nanoseconds.
    fn ns(self) -> Result<i64, Failure> {
        let ns = self.us.checked_mul(NS_IN_US);
        ns.ok_or_else(|| Failure::malformed("start", format!("{} us", self.us)))
    }

    /// As PostgreSQL has it.
    pub(super) const fn to_be_bytes(self) -> [u8; 8] {
        (self.us - FROM_1970_TO_2000_US).to_be_bytes()
    }
}

impl Type<Postgres> for Instant {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TIMESTAMPTZ)
    }
}

impl PgHasArrayType for Instant {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TIMESTAMPTZ_ARRAY)
    }
}

impl Encode<'_, Postgres> for Instant {
    fn encode_by_ref(&self, out: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        out.extend_from_slice(&self.to_be_bytes());
        Ok(IsNull::No)
    }
}

impl<'r> Decode<'r, Postgres> for Instant {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        if value.format() == PgValueFormat::Text {
            return Err("a time came as text".into());
        }
        let since_2000_us = i64::from_be_bytes(value.as_bytes()?.try_into()?);
        let us = since_2000_us.checked_add(FROM_1970_TO_2000_US);
        Ok(Self {
            us: us.ok_or("a time is infinite")?,
        })
    }
}

/// A number that nothing orders by, in 64 bits.
pub(super) const fn bits(value: u64) -> i64 {
    value.cast_signed()
}

/// Reads what [`bits`] wrote.
pub(super) fn read_bits(row: &PgRow, column: usize) -> Result<u64, Failure> {
    Ok(row.try_get::<i64, _>(column)?.cast_unsigned())
}

/// A number that the database orders by.
pub(super) fn number(value: u64) -> Numeric {
    Numeric(value.to_string())
}

/// Reads what [`number`] wrote, or a decimal or a sum.
pub(super) fn read_number<T: FromStr>(
    row: &PgRow,
    column: usize,
    what: &'static str,
) -> Result<T, Failure> {
    let Numeric(text) = row.try_get(column)?;
    text.parse().map_err(|_| Failure::malformed(what, text))
}

/// The number of a partition as a column.
pub(super) fn partition(number: u32) -> Result<i32, Failure> {
    i32::try_from(number).map_err(|_| Failure::malformed("partition", number))
}

/// Reads what [`partition`] wrote.
pub(super) fn read_partition(row: &PgRow, column: usize) -> Result<u32, Failure> {
    let value: i32 = row.try_get(column)?;
    u32::try_from(value).map_err(|_| Failure::malformed("partition", value))
}

/// A start in UTC nanoseconds.
pub(super) fn read_start(row: &PgRow, column: usize) -> Result<i64, Failure> {
    row.try_get::<Instant, _>(column)?.ns()
}

/// A text that is parsed into a value.
pub(super) fn read_parsed<T: FromStr>(
    row: &PgRow,
    column: usize,
    what: &'static str,
) -> Result<T, Failure> {
    let text: &str = row.try_get(column)?;
    text.parse().map_err(|_| Failure::malformed(what, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_rounded_up_and_starts_not_at_all() {
        for (ns, us) in [
            (0, 0),
            (1, 1),
            (1_000, 1),
            (-1, 0),
            (-1_000, -1),
            (-1_001, -1),
        ] {
            assert_eq!(Instant::at_or_after(ns).us, us, "{ns}");
            assert_eq!(Instant::exactly(ns).is_ok(), ns % 1_000 == 0, "{ns}");
        }
        for ns in [i64::MIN, i64::MAX] {
            let day = Instant::at_or_after(ns).day();
            assert!(day <= Instant::at_or_after(ns) && day.next_day() > Instant::at_or_after(ns));
        }
    }
}
