//! Exact numbers in the binary form of PostgreSQL's `NUMERIC`: groups of four decimal digits
//! (<https://github.com/postgres/postgres/blob/REL_17_STABLE/src/backend/utils/adt/numeric.c>,
//! `numeric_recv`).

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{
    PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueFormat, PgValueRef, Postgres,
};
use sqlx::{Decode, Encode, Type};

/// <https://github.com/postgres/postgres/blob/REL_17_STABLE/src/include/catalog/pg_type.dat>
const NUMERIC: Oid = Oid(1700);
const NUMERIC_ARRAY: Oid = Oid(1231);

/// The value of the sign field of a negative number.
const NEGATIVE: u16 = 0x4000;

/// The number of decimal digits in a group.
const DIGITS_PER_GROUP: usize = 4;

/// A plain decimal number as text, such as `-1.5`.
pub(super) struct Numeric(pub(super) String);

impl Type<Postgres> for Numeric {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(NUMERIC)
    }
}

impl PgHasArrayType for Numeric {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(NUMERIC_ARRAY)
    }
}

impl Encode<'_, Postgres> for Numeric {
    fn encode_by_ref(&self, out: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        write_numeric(&self.0, out);
        Ok(IsNull::No)
    }
}

impl<'r> Decode<'r, Postgres> for Numeric {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        match value.format() {
            PgValueFormat::Binary => read_numeric(value.as_bytes()?).map(Self),
            PgValueFormat::Text => Ok(Self(value.as_str()?.to_owned())),
        }
    }
}

/// Appends the binary form of a plain decimal number: an optional minus, digits, and optionally a
/// point with more digits.
pub(super) fn write_numeric(text: &str, out: &mut Vec<u8>) {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let whole = whole.trim_start_matches('0').as_bytes();
    let (short_group, groups) = whole.split_at(whole.len() % DIGITS_PER_GROUP);
    let mut values: Vec<u16> = Vec::with_capacity(24);
    values.extend((!short_group.is_empty()).then(|| parse_digit_group(short_group)));
    values.extend(groups.chunks(DIGITS_PER_GROUP).map(parse_digit_group));
    let whole_groups = values.len();
    values.extend(fraction.as_bytes().chunks(DIGITS_PER_GROUP).map(|part| {
        let missing = DIGITS_PER_GROUP - part.len();
        parse_digit_group(part) * 10_u16.pow(u32::try_from(missing).expect("it is below 4"))
    }));
    let leading = values.iter().take_while(|value| **value == 0).count();
    let trailing = values.iter().rev().take_while(|value| **value == 0).count();
    let is_zero = leading == values.len();
    let significant = if is_zero {
        &[]
    } else {
        &values[leading..values.len() - trailing]
    };
    let short = |count: usize| i16::try_from(count).expect("a number has few digits");
    let weight = if is_zero {
        0
    } else {
        short(whole_groups) - short(leading) - 1
    };
    let is_negative = text.len() > unsigned.len() && !is_zero;
    out.extend_from_slice(&short(significant.len()).to_be_bytes());
    out.extend_from_slice(&weight.to_be_bytes());
    out.extend_from_slice(&if is_negative { NEGATIVE } else { 0 }.to_be_bytes());
    out.extend_from_slice(&short(fraction.len()).to_be_bytes());
    for value in significant {
        out.extend_from_slice(&value.to_be_bytes());
    }
}

/// Parses up to four decimal digits.
fn parse_digit_group(digits: &[u8]) -> u16 {
    let digit = |digit: &u8| u16::from(*digit - b'0');
    digits.iter().fold(0, |sum, next| sum * 10 + digit(next))
}

/// Reads the binary form that PostgreSQL sends, as text.
fn read_numeric(bytes: &[u8]) -> Result<String, BoxDynError> {
    let mut words = bytes.chunks_exact(2).map(|word| [word[0], word[1]]);
    let mut word = || words.next().ok_or("a number ends early");
    let count = u16::from_be_bytes(word()?);
    let weight = i16::from_be_bytes(word()?);
    let sign = u16::from_be_bytes(word()?);
    let scale = usize::from(u16::from_be_bytes(word()?));
    if sign & !NEGATIVE != 0 || !(-32..=64).contains(&weight) || scale > 64 {
        return Err("a number is not finite, or far too long".into());
    }
    let mut digits = Vec::with_capacity(count.into());
    for _ in 0..count {
        digits.push(u16::from_be_bytes(word()?));
    }
    // Returns the group that is multiplied by 10000 to the power of `exponent`.
    let group_at = |exponent: i16| {
        let index = usize::try_from(weight - exponent).ok();
        index.and_then(|index| digits.get(index)).copied()
    };
    let mut text = String::with_capacity(scale + 32);
    for exponent in (0..=weight.max(0)).rev() {
        text += &format!("{:04}", group_at(exponent).unwrap_or(0));
    }
    let whole = text.trim_start_matches('0');
    let mut text = format!(
        "{}{}",
        if sign == NEGATIVE { "-" } else { "" },
        if whole.is_empty() { "0" } else { whole }
    );
    if scale > 0 {
        let groups = i16::try_from(scale.div_ceil(DIGITS_PER_GROUP)).expect("it is below 64");
        let fraction = (1..=groups).map(|place| format!("{:04}", group_at(-place).unwrap_or(0)));
        text.push('.');
        text += &fraction.collect::<String>()[..scale];
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_written_as_postgresql_writes_them() {
        for (text, words) in [
            ("0", &[0, 0, 0, 0][..]),
            ("1", &[1, 0, 0, 0, 1]),
            ("-12345.5", &[3, 1, 0x4000, 1, 1, 2345, 5000]),
            ("0.00012", &[2, -1, 0, 5, 1, 2000]),
            ("10000", &[1, 1, 0, 0, 1]),
        ] {
            let mut bytes = Vec::new();
            write_numeric(text, &mut bytes);
            let written: Vec<_> = words
                .iter()
                .flat_map(|word: &i16| word.to_be_bytes())
                .collect();
            assert_eq!(bytes, written, "{text}");
        }
    }

    #[test]
    fn numbers_that_are_not_finite_are_errors() {
        for words in [
            &[0, 0, -0x4000, 0][..],
            &[2, 0, 0, 0, 1],
            &[0, 0],
            &[0, 9_000, 0, 0],
        ] {
            let bytes: Vec<_> = words
                .iter()
                .flat_map(|word: &i16| word.to_be_bytes())
                .collect();
            assert!(read_numeric(&bytes).is_err(), "{words:?}");
        }
    }

    proptest! {
        #[test]
        fn a_written_number_is_read_back(text in "-?(0|[1-9][0-9]{0,55})(\\.[0-9]{0,35}[1-9])?") {
            let mut bytes = Vec::new();
            write_numeric(&text, &mut bytes);
            let expected = if text == "-0" { "0" } else { &text };
            prop_assert_eq!(read_numeric(&bytes).unwrap(), expected);
        }

        #[test]
        fn damage_is_an_error_or_a_number(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = read_numeric(&bytes);
        }
    }
}
