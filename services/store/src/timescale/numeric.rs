//! Exact numbers as PostgreSQL sends and takes them: groups of four decimal digits
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

const NEGATIVE: u16 = 0x4000;

/// How many decimal digits a group has.
const GROUP: usize = 4;

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

/// Writes a plain decimal number: digits, perhaps a point and more digits, perhaps a minus.
pub(super) fn write_numeric(text: &str, out: &mut Vec<u8>) {
    let size = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = size.split_once('.').unwrap_or((size, ""));
    let whole = whole.trim_start_matches('0').as_bytes();
    let (head, groups) = whole.split_at(whole.len() % GROUP);
    let mut digits: Vec<u16> = Vec::with_capacity(24);
    digits.extend((!head.is_empty()).then(|| group(head)));
    digits.extend(groups.chunks(GROUP).map(group));
    let wholes = digits.len();
    digits.extend(fraction.as_bytes().chunks(GROUP).map(|part| {
        let missing = GROUP - part.len();
        group(part) * 10_u16.pow(u32::try_from(missing).expect("it is below 4"))
    }));
    let leading = digits.iter().take_while(|digit| **digit == 0).count();
    let trailing = digits.iter().rev().take_while(|digit| **digit == 0).count();
    let is_zero = leading == digits.len();
    let kept = if is_zero {
        &[]
    } else {
        &digits[leading..digits.len() - trailing]
    };
    let short = |count: usize| i16::try_from(count).expect("a number has few digits");
    let weight = if is_zero {
        0
    } else {
        short(wholes) - short(leading) - 1
    };
    let is_negative = text.len() > size.len() && !is_zero;
    out.extend_from_slice(&short(kept.len()).to_be_bytes());
    out.extend_from_slice(&weight.to_be_bytes());
    out.extend_from_slice(&if is_negative { NEGATIVE } else { 0 }.to_be_bytes());
    out.extend_from_slice(&short(fraction.len()).to_be_bytes());
    for digit in kept {
        out.extend_from_slice(&digit.to_be_bytes());
    }
}

fn group(digits: &[u8]) -> u16 {
    let digit = |digit: &u8| u16::from(*digit - b'0');
    digits.iter().fold(0, |sum, next| sum * 10 + digit(next))
}

/// Reads what PostgreSQL wrote.
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
    // The group that stands for 10000 to the power of `place`.
    let at = |place: i16| {
        let index = usize::try_from(weight - place).ok();
        index.and_then(|index| digits.get(index)).copied()
    };
    let mut text = String::with_capacity(scale + 32);
    for place in (0..=weight.max(0)).rev() {
        text += &format!("{:04}", at(place).unwrap_or(0));
    }
    let whole = text.trim_start_matches('0');
    let mut text = format!(
        "{}{}",
        if sign == NEGATIVE { "-" } else { "" },
        if whole.is_empty() { "0" } else { whole }
    );
    if scale > 0 {
        let groups = i16::try_from(scale.div_ceil(GROUP)).expect("it is below 64");
        let fraction = (1..=groups).map(|place| format!("{:04}", at(-place).unwrap_or(0)));
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
    fn numbers_are_written_as_postgres_does() {
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
    fn what_is_no_finite_number_is_an_error() {
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
        fn what_is_written_is_read(text in "-?(0|[1-9][0-9]{0,55})(\\.[0-9]{0,35}[1-9])?") {
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
