//! Conversion of decimals to and from columns of the type `Decimal(38, 18)`, whose values are whole
//! numbers of 10^-18.
//!
//! | function | overflow | rounding |
//! |---|---|---|
//! | [`decimal_to_column`] | cannot: below 10^18 * 10^18 | never |
//! | [`decimal_from_column`] | `None` if there are more digits than a [`Decimal`] has | never |

use market::{Decimal, POWERS_OF_TEN};

/// The number of digits after the point in a column.
const SCALE: u8 = 18;

/// Converts a decimal to the number that a column holds.
pub(super) fn decimal_to_column(value: Decimal) -> i128 {
    let power = POWERS_OF_TEN[usize::from(SCALE - value.scale())];
    i128::from(value.mantissa()) * i128::from(power)
}

/// Converts the number that a column holds to a decimal; `None` if it has too many digits.
pub(super) fn decimal_from_column(mut number: i128) -> Option<Decimal> {
    let mut scale = SCALE;
    // While the number needs 128 bits, zeros are removed in large steps, because dividing is slow.
    for zeros in [9, 4, 2, 1] {
        let power = i128::from(POWERS_OF_TEN[usize::from(zeros)]);
        while scale >= zeros && i64::try_from(number).is_err() && number % power == 0 {
            number /= power;
            scale -= zeros;
        }
    }
    let mantissa = i64::try_from(number).ok()?;
    Decimal::new(mantissa, scale).ok()
}

#[cfg(test)]
mod tests {
    use market::Decimal;
    use proptest::prelude::*;

    use super::{decimal_from_column, decimal_to_column};

    const LIMIT: i64 = 1_000_000_000_000_000_000;

    proptest! {
        #[test]
        fn a_decimal_is_read_back_from_its_column(mantissa in 1 - LIMIT..LIMIT, zeros in 0_u32..19, scale in 0_u8..=18) {
            let short = mantissa / 10_i64.pow(zeros) * 10_i64.pow(zeros);
            for mantissa in [mantissa, short, mantissa / 10_i64.pow(zeros)] {
                let value = Decimal::new(mantissa, scale).unwrap();
                prop_assert_eq!(decimal_from_column(decimal_to_column(value)), Some(value));
            }
        }
    }

    #[test]
    fn the_limits_fit_and_greater_numbers_do_not() {
        for text in [
            "999999999999999999",
            "-999999999999999999",
            "0.000000000000000001",
            "0",
            "100000000000000000",
        ] {
            let value: Decimal = text.parse().unwrap();
            assert_eq!(
                decimal_from_column(decimal_to_column(value)),
                Some(value),
                "{text}"
            );
        }
        assert_eq!(decimal_from_column(i128::MAX), None);
        assert_eq!(
            decimal_from_column(1_000_000_000_000_000_000_000_000_000_000_000_001),
            None
        );
    }
}
